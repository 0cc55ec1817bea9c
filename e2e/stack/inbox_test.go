package stack_test

import (
	"io"
	"net/http"
	"net/smtp"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/e2e/stack"
)

func TestTheInboxKeepsWhatCameShowsItAndComesBackOnTheSameAddress(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inbox, err := stack.StartInbox(t.Context(), stack.InboxOptions{Mailpit: world.mailpit, DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	defer func() {
		if !stopped {
			inbox.Stop()
		}
	}()
	send := func(subject string) error {
		text := "From: a@example.com\r\nTo: ada@example.com\r\nSubject: " + subject + "\r\n\r\nOpen http://localhost/account/verify/T1\r\n"
		return smtp.SendMail(inbox.SMTPAddress(), nil, "a@example.com", []string{"ada@example.com"}, []byte(text))
	}
	if err := send("one"); err != nil {
		t.Fatal(err)
	}
	mails, err := inbox.Mails(t.Context(), "ada@example.com")
	if err != nil || len(mails) != 1 || mails[0].Subject != "one" || mails[0].Link() != "http://localhost/account/verify/T1" {
		t.Fatalf("%+v, %v", mails, err)
	}
	if page := fetch(t, inbox.URL()); !strings.Contains(page, "ada@example.com") || !strings.Contains(page, "/view/"+mails[0].ID) {
		t.Errorf("the page shows %s", page)
	}
	if text := fetch(t, inbox.URL()+"/view/"+mails[0].ID+".txt"); !strings.Contains(text, "/account/verify/T1") {
		t.Errorf("the mail shows %s", text)
	}
	inbox.Down()
	if err := send("two"); err == nil {
		t.Error("it takes mails while it is down")
	}
	if err := inbox.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := inbox.Refuse(t.Context(), 550); err != nil {
		t.Fatal(err)
	}
	if err := send("three"); err == nil || !strings.Contains(err.Error(), "550") {
		t.Errorf("told to refuse, it says %v", err)
	}
	if err := inbox.Refuse(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := send("four"); err != nil {
		t.Error(err)
	}
	if mails, err := inbox.Mails(t.Context(), "ada@example.com"); err != nil || len(mails) != 2 || mails[1].Subject != "four" {
		t.Errorf("%+v, %v", mails, err)
	}
	inbox.Stop()
	stopped = true
	eventually(t, "nothing of it runs", func() bool { return len(runningIn(dir)) == 0 })
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", url, response.Status, err)
	}
	return string(body)
}
