package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
)

// attacker is a page of another origin that does with a visitor's session what a page can try without being allowed to.
const attacker = `<!doctype html><title>attacker</title><p id="tried">trying</p>
<iframe name="away" hidden></iframe>
<form id="form" method="post" action="%[1]s/account/logout" target="away"></form>
<script>
const target = %[1]q, got = [];
async function attempt(name, options, path) {
	try {
		const answer = await fetch(target + path, {credentials: "include", ...options});
		got.push(name + ": " + answer.type + " " + answer.status);
	} catch {
		got.push(name + ": refused");
	}
}
const talk = JSON.stringify({agent_settings: {}, workspace: {working_dir: ""}});
const json = {"Content-Type": "application/json"};
addEventListener("load", async () => {
	const answered = new Promise(done => document.querySelector("iframe").addEventListener("load", done));
	document.querySelector("form").submit();
	await answered;
	await attempt("read", {}, "/api/conversations/search");
	await attempt("account", {}, "/api/auth/users/me");
	await attempt("create", {method: "POST", body: talk, headers: json}, "/api/conversations");
	await attempt("blind create", {method: "POST", body: talk, mode: "no-cors"}, "/api/conversations");
	await attempt("blind logout", {method: "POST", mode: "no-cors"}, "/api/auth/jwt/logout");
	await attempt("blind cookie logout", {method: "POST", mode: "no-cors"}, "/api/auth/cookie/logout");
	const socket = new Promise(done => {
		const s = new WebSocket(target.replace("http", "ws") + "/sockets/events/00000000-0000-4000-8000-000000000001");
		s.onopen = () => s.send(JSON.stringify({type: "auth", session_api_key: "cookie"}));
		s.onclose = e => done("socket: closed " + e.code);
		s.onmessage = e => done("socket: message");
	});
	got.push(await socket);
	document.title = "done";
	document.querySelector("#tried").textContent = got.join("\n");
});
</script>`

// TestAPageOfAnotherOriginCanDoNothingWithOnesSession: "localhost" is another site than the server's 127.0.0.1, so SameSite
// keeps the cookie at home; another port of 127.0.0.1 is the same site, so there only the checks of the origin help.
func TestAPageOfAnotherOriginCanDoNothingWithOnesSession(t *testing.T) {
	t.Parallel()
	server := shared(t)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, attacker, server.url)
	}))
	t.Cleanup(page.Close)
	address, err := url.Parse(page.URL)
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, "attacked")
	b.do("registered", chromedp.Navigate(server.url+"/account/register"), chromedp.WaitVisible(passBox), fillRegistration())
	for host, socket := range map[string]string{
		"127.0.0.1": "socket: closed 1006", // the handshake is refused
		"localhost": "socket: closed 4001", // it came without the cookie
	} {
		b.do("page of "+host, chromedp.Navigate("http://"+host+":"+address.Port()+"/"),
			chromedp.WaitVisible(chromedp.CSS(`#tried`)))
		b.sees("socket: closed")
		got := script[string](b, `document.querySelector("#tried").textContent`)
		want := "read: refused\naccount: refused\ncreate: refused\n" +
			"blind create: opaque 0\nblind logout: opaque 0\nblind cookie logout: opaque 0\n" + socket
		if got != want {
			t.Errorf("a page of %s got\n%s\nwant\n%s", host, got, want)
		}
		b.do("still signed in after "+host, chromedp.Navigate(server.url+"/"), chromedp.WaitVisible(home))
		for path, want := range map[string]string{"/api/auth/users/me": "200", "/api/conversations/count": "200 0"} {
			got := script[string](b, `fetch("`+path+`").then(async r => r.status + " " + await r.text())`)
			if len(got) < len(want) || got[:len(want)] != want {
				t.Errorf("after a page of %s, %s answers %.200s, want %s", host, path, got, want)
			}
		}
	}
}
