package app_test

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// TestTheContractOfAccountsHolds runs testdata/contract.txt, whose head says how to read it, against the whole program.
func TestTheContractOfAccountsHolds(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/contract.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for _, section := range strings.Split(string(data), "\n== ")[1:] {
		title, script, _ := strings.Cut(section, "\n")
		bases := []string{"/api/users"}
		if strings.Contains(script, "{users}") {
			bases = append(bases, "/api/auth/users")
		}
		cases += strings.Count(script, "\n> ") * len(bases)
		for _, base := range bases {
			t.Run(strings.ReplaceAll(title, " ", "_")+"_under_"+strings.Trim(base, "/"), func(t *testing.T) {
				t.Parallel()
				newContract(t, base, script).run()
			})
		}
	}
	if cases < 600 {
		t.Errorf("only %d requests: part of the file was not read", cases)
	}
}

// contract is a section on its way.
type contract struct {
	*testing.T
	site  *site
	lines []string
	vars  map[string]string // what stands in braces
	name  string            // of the case
	asked string            // the request
	got   answer
}

func newContract(t *testing.T, base, script string) *contract {
	verified := strings.Contains(script, "config require-verified\n")
	cfg := settings(t, dbtest.URL(t), newUpstream(t), func(c *config.Config) { c.RequireVerified, c.PasswordBlocklist = verified, true })
	s := serve(t, cfg, app.Options{Hash: auth.HashParams{Memory: 64, Passes: 1, Lanes: 1}})
	long := strings.Repeat("x", 300)
	vars := map[string]string{"users": base, "long": long, "cut": long + long[:180], "nobody": uuid.NewString()}
	return &contract{T: t, site: s, lines: strings.Split(script, "\n"), vars: vars}
}

func (c *contract) run() {
	for len(c.lines) > 0 {
		line := c.take()
		kind, rest, _ := strings.Cut(line, " ")
		rest = c.fill(rest)
		switch kind {
		case "", "#", "config":
		case "*":
			c.name = rest
		case "user":
			c.user(strings.Fields(rest))
		case "$":
			c.do(strings.Fields(rest))
		case ">":
			c.ask(rest)
		case "<":
			c.compare(rest)
		default:
			c.Fatalf("what is %q?", line)
		}
	}
}

func (c *contract) take() string {
	line := c.lines[0]
	c.lines = c.lines[1:]
	return line
}

func (c *contract) fill(text string) string {
	for name, value := range c.vars {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}

// user makes an account that is signed in, and then what the words say.
func (c *contract) user(words []string) {
	name := words[0]
	email := name + "@example.com"
	id, _ := c.json("POST", "/api/auth/register", `{"email":"`+email+`","password":"correct horse"}`, jsonType)["id"].(string)
	c.sql(`UPDATE users SET is_verified = true WHERE id = $1`, id)
	c.vars[name] = c.token(email, "correct horse")
	c.vars[name+".id"], c.vars[name+".ID"], c.vars[name+".hex"] = id, strings.ToUpper(id), strings.ReplaceAll(id, "-", "")
	flags := map[string]string{
		"superuser": `is_superuser = true`, "inactive": `is_active = false`, "unverified": `is_verified = false`, "verified": `is_verified = true`,
	}
	if !slices.Contains(words, "verified") {
		words = append(words, "unverified")
	}
	for _, word := range words[1:] {
		c.sql(`UPDATE users SET `+flags[word]+` WHERE id = $1`, id)
	}
}

// sql changes a user as a superuser elsewhere would.
func (c *contract) sql(statement, id string) {
	if err := c.site.app.Execute(c.Context(), statement, id); err != nil {
		c.Fatal(err)
	}
	if err := c.site.app.Announce(c.Context(), uuid.MustParse(id)); err != nil {
		c.Fatal(err)
	}
}

func (c *contract) json(method, path, body string, headers ...string) (object map[string]any) {
	res := c.site.do(method, path, body, headers...)
	if err := json.Unmarshal([]byte(res.body), &object); err != nil || res.StatusCode >= 300 {
		c.Fatalf("%s: %s %s: %d %s", c.name, method, path, res.StatusCode, res.body)
	}
	return object
}

func (c *contract) token(email, password string) string {
	form := "username=" + strings.ReplaceAll(email, "+", "%2B") + "&password=" + password
	token, _ := c.json("POST", "/api/auth/jwt/login", form, formType)["access_token"].(string)
	return token
}

// do is what happens beside the requests.
func (c *contract) do(words []string) {
	switch words[0] {
	case "mail": // mail TEMPLATE ADDRESS NAME: wait for a mail that was not seen yet, and name its token
		c.vars[words[3]] = c.mailed(words[1], words[2])
	case "login": // login ADDRESS PASSWORD NAME
		c.vars[words[3]] = c.token(words[1], strings.ReplaceAll(words[2], "_", " "))
	case "forge": // forge NAME FAULT: a token like that of the user, with a fault
		c.vars[words[1]+"."+words[2]] = c.forge(c.vars[words[1]], words[2])
	case "is": // is NAME active|verified|…: as another superuser would have it
		c.sql(`UPDATE users SET is_`+strings.Join(words[2:], " ")+` WHERE id = $1`, c.vars[words[1]+".id"])
	default:
		c.Fatalf("do %q?", words)
	}
}

var link = regexp.MustCompile(`/account/[a-z]+/([A-Z0-9]{52})`)

func (c *contract) mailed(template, to string) (token string) {
	seen := template + " mails to " + to
	count, _ := strconv.Atoi(c.vars[seen])
	until(c.T, "a mail "+template+" to "+to, func() bool {
		texts, err := c.site.app.MailsTo(c.Context(), to, template)
		if err != nil {
			c.Fatal(err)
		}
		if len(texts) > count {
			token = strings.Join(link.FindStringSubmatch(texts[0]), " ")
		}
		return len(texts) > count
	})
	c.vars[seen] = strconv.Itoa(count + 1)
	_, token, _ = strings.Cut(token, " ")
	return token
}

func (c *contract) forge(good, fault string) string {
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(good, claims); err != nil {
		c.Fatal(err)
	}
	var method jwt.SigningMethod = jwt.SigningMethodHS256
	var key any = []byte("a-secret-of-the-tests-0123456789abcdef")
	switch fault {
	case "unsigned":
		method, key = jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType
	case "secret":
		key = []byte("another-secret-of-the-tests-0123456789")
	case "audience":
		claims["aud"] = "fastapi-users:reset"
	case "expired":
		claims["exp"] = time.Now().Add(-time.Second).Unix()
	case "unknown":
		claims["sub"] = uuid.NewString()
	case "none": // no fault: so that the others fail for theirs only
	default:
		c.Fatalf("forge %q?", fault)
	}
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		c.Fatal(err)
	}
	return token
}

var contentTypes = map[string]string{
	"json": "application/json", "form": "application/x-www-form-urlencoded", "text": "text/plain",
	"multipart": "multipart/form-data; boundary=b",
}

// ask sends: METHOD PATH [as:USER] [json|form|text|multipart] [Name:_value]… | body
func (c *contract) ask(line string) {
	head, body, _ := strings.Cut(line, " | ")
	if strings.HasPrefix(body, `"`) && strings.HasSuffix(body, `"~`) {
		unquoted, err := strconv.Unquote(strings.TrimSuffix(body, "~"))
		if err != nil {
			c.Fatal(c.name, err)
		}
		body = unquoted
	}
	words := strings.Fields(head)
	r, err := http.NewRequestWithContext(c.Context(), words[0], c.site.url+words[1], strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	for _, word := range words[2:] {
		c.head(r.Header, word)
	}
	r.Close = true
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		c.Fatal(err)
	}
	c.got, c.asked = read(c.T, res), words[0]+" "+words[1]
}

func (c *contract) head(h http.Header, word string) {
	name, value, hasValue := strings.Cut(word, ":")
	switch contentType := contentTypes[word]; {
	case contentType != "":
		h.Set("Content-Type", contentType)
	case name == "as":
		h.Set("Authorization", "Bearer "+c.vars[value])
	case hasValue:
		h.Add(name, strings.ReplaceAll(value, "~", " "))
	default:
		c.Fatalf("%s: what is %q?", c.name, word)
	}
}

// compare checks: STATUS [what], and for a 422 its faults, one in each line that follows.
func (c *contract) compare(line string) {
	number, want, _ := strings.Cut(line, " ")
	status, err := strconv.Atoi(number)
	if err != nil {
		c.Fatal(c.name, err)
	}
	if c.got.StatusCode != status {
		c.Errorf("%s: %s: got %d %s, want %s", c.name, c.asked, c.got.StatusCode, c.got.body, line)
		c.faults()
		return
	}
	c.headers(status, want)
	body := c.body(status, want)
	if body == "" {
		if c.got.body != "" {
			c.Errorf("%s: a body: %s", c.name, c.got.body)
		}
		return
	}
	if diff := cmp.Diff(c.masked(body), c.masked(c.got.body)); diff != "" {
		c.Errorf("%s: %s: -want +got:\n%s", c.name, c.asked, diff)
	}
}

// headers are the same in all answers, but for what redirects and refused methods have.
func (c *contract) headers(status int, want string) {
	h, contentType := c.got.Header, "application/json"
	if status == http.StatusNoContent || status == http.StatusTemporaryRedirect {
		contentType = ""
	}
	if got := h.Get("Content-Type"); got != contentType {
		c.Errorf("%s: the content type is %q", c.name, got)
	}
	for _, name := range []string{"WWW-Authenticate", "Set-Cookie"} {
		if got := h.Values(name); len(got) > 0 {
			c.Errorf("%s: %s: %q", c.name, name, got)
		}
	}
	if status == http.StatusMethodNotAllowed && h.Get("Allow") != want {
		c.Errorf("%s: Allow: %q, want %q", c.name, h.Get("Allow"), want)
	}
	if status == http.StatusTemporaryRedirect && h.Get("Location") != want {
		c.Errorf("%s: Location: %q, want %q", c.name, h.Get("Location"), want)
	}
}

// body spells out what was written short.
func (c *contract) body(status int, want string) string {
	switch {
	case status == http.StatusNoContent || status == http.StatusTemporaryRedirect:
		return ""
	case status == http.StatusUnprocessableEntity:
		return `{"detail":[` + strings.Join(c.faults(), ",") + `]}`
	case strings.HasPrefix(want, "user "):
		return object(strings.Fields(want)[1:])
	case status < 300:
		return want
	case strings.HasPrefix(want, "{"):
		return `{"detail":` + want + `}`
	case want == "" || status == http.StatusMethodNotAllowed:
		want = http.StatusText(status)
	}
	return `{"detail":` + strconv.Quote(want) + `}`
}

// object is a user object: ADDRESS [active|superuser|verified]… [name:A_name] [avatar_url:https://…]
func object(words []string) string {
	user := map[string]any{
		"id": "…", "email": words[0], "is_active": false, "is_superuser": false, "is_verified": false, "name": nil, "avatar_url": nil,
	}
	for _, word := range words[1:] {
		if name, value, ok := strings.Cut(word, ":"); ok {
			user[name] = strings.ReplaceAll(value, "_", " ")
		} else {
			user["is_"+word] = true
		}
	}
	text, _ := json.Marshal(user)
	return string(text)
}

// faults reads the lines "  type field input [ctx]"; the field is - for the whole body.
func (c *contract) faults() (faults []string) {
	for len(c.lines) > 0 && strings.HasPrefix(c.lines[0], "  ") {
		words := strings.SplitN(strings.TrimSpace(c.fill(c.take())), " ", 3)
		loc := `["body",` + strconv.Quote(words[1]) + `]`
		if words[1] == "-" {
			loc = `["body"]`
		} else if _, err := strconv.Atoi(words[1]); err == nil {
			loc = `["body",` + words[1] + `]`
		}
		input, ctx, _ := strings.Cut(words[2], " ctx ")
		if ctx != "" {
			ctx = `,"ctx":` + ctx
		}
		faults = append(faults, `{"type":"`+words[0]+`","loc":`+loc+`,"msg":"…","input":`+input+ctx+`}`)
	}
	return faults
}

// masked parses a body and takes out what is free: texts for people, ids, tokens.
func (c *contract) masked(text string) any {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		c.Fatalf("%s: %v in %s", c.name, err, text)
	}
	return mask("", v)
}

func mask(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key := range v {
			v[key] = mask(key, v[key])
		}
	case []any:
		for i := range v {
			v[i] = mask("", v[i])
		}
	case string:
		free := name == "msg" || name == "reason" || name == "error" || name == "access_token" && strings.Count(v, ".") == 2
		if free || name == "id" && uuid.Validate(v) == nil && len(v) == 36 && strings.ToLower(v) == v {
			return "…"
		}
	}
	return v
}
