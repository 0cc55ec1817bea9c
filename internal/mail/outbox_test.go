package mail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/mail"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/sealed"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

// office is an outbox on a database of its own, with a clock that only the test moves.
type office struct {
	t    *testing.T
	db   *postgres.DB
	url  string // of db
	box  *mail.Outbox
	keys *sealed.Keyring
	now  atomic.Pointer[time.Time]
	log  *logged
}

// logged keeps what was logged.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newOffice(t *testing.T, smtp string) *office {
	t.Helper()
	keys, _, err := sealed.New()
	if err != nil {
		t.Fatal(err)
	}
	url := dbtest.URL(t)
	o := &office{t: t, db: dbtest.Open(t, url), url: url, keys: keys, log: &logged{}}
	start := time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC)
	o.now.Store(&start)
	o.box = o.replica(o.db, smtp)
	return o
}

// replica is another outbox on the same rows; without smtp it has no way to send.
func (o *office) replica(db *postgres.DB, smtp string) *mail.Outbox {
	o.t.Helper()
	cfg := mail.Config{
		DB: db, Seal: o.keys, Site: site, Poll: time.Hour, Now: func() time.Time { return *o.now.Load() },
		Log: slog.New(slog.NewTextHandler(o.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if smtp != "" {
		var err error
		if cfg.Sender, err = mail.NewSender(smtp, "OpenHands <openhands@example.com>"); err != nil {
			o.t.Fatal(err)
		}
	}
	return mail.New(cfg)
}

func (o *office) pass(d time.Duration) {
	later := o.now.Load().Add(d)
	o.now.Store(&later)
}

const secretLink = site + "/account/reset/SECRETTOKEN"

func (o *office) put(to string) {
	o.t.Helper()
	err := o.db.InTx(o.t.Context(), func(tx *postgres.Tx) error {
		return o.box.Put(o.t.Context(), tx, mail.Message{To: to, Template: "reset", Data: map[string]string{"link": secretLink}})
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

// send makes one round of attempts and says how many there were.
func (o *office) send(box *mail.Outbox) int {
	o.t.Helper()
	count, err := box.SendDue(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	return count
}

func (o *office) pending() []mail.Waiting {
	o.t.Helper()
	found, err := o.box.Pending(o.t.Context(), 100)
	if err != nil {
		o.t.Fatal(err)
	}
	return found
}

func (o *office) count(condition string) (n int) {
	o.t.Helper()
	if err := o.db.GetContext(o.t.Context(), &n, `SELECT count(*) FROM mail_outbox WHERE `+condition); err != nil {
		o.t.Fatal(err)
	}
	return n
}

// until waits for a condition.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	testtime.Eventually(t, 20*time.Second, what, met)
}

func TestAMailIsSentOnceInBothFormsAndThenForgotten(t *testing.T) {
	t.Parallel()
	s := serveSMTP(t)
	o := newOffice(t, s.url("smtp+plain"))
	o.put("ada@example.com")
	if n := o.count("position('SECRETTOKEN'::bytea in body) > 0"); n != 0 {
		t.Error("the link lies open in the database")
	}
	if o.send(o.box) != 1 || o.send(o.box) != 0 {
		t.Fatal("it was not sent once")
	}
	got := s.received()
	if len(got) != 1 || len(o.pending()) != 0 || o.count("body IS NULL AND sent_at IS NOT NULL AND attempts = 1") != 1 {
		t.Fatalf("received %d; %+v", len(got), o.pending())
	}
	m, err := netmail.ReadMessage(strings.NewReader(got[0]))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"From": `"OpenHands" <openhands@example.com>`, "To": "<ada@example.com>", "Subject": "Choose a new password", "Auto-Submitted": "auto-generated",
		"Date": "Mon, 30 Nov 2026 10:00:00 +0000", "Bcc": "", "Cc": "",
	} {
		if m.Header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, m.Header.Get(name), want)
		}
	}
	if id := m.Header.Get("Message-ID"); !strings.HasSuffix(id, "@example.com>") {
		t.Errorf("the id is %q", id)
	}
	kinds := parts(t, m)
	for _, kind := range []string{"text/plain", "text/html"} {
		if !strings.Contains(kinds[kind], secretLink) {
			t.Errorf("%s lacks the link: %q", kind, kinds[kind])
		}
	}
	if strings.Contains(o.log.String(), "SECRETTOKEN") {
		t.Error("the link was logged")
	}
}

// parts are the decoded parts of a mail, by type.
func parts(t *testing.T, m *netmail.Message) map[string]string {
	t.Helper()
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("it is %q (%v)", kind, err)
	}
	found := map[string]string{}
	for reader := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		found[kind] = string(body)
	}
}

func TestAMailOfATransactionThatFailedIsNeverThere(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "")
	refused := errors.New("no")
	err := o.db.InTx(t.Context(), func(tx *postgres.Tx) error {
		if err := o.box.Put(t.Context(), tx, mail.Message{To: "ada@example.com", Template: "test", Data: map[string]string{"time": "now"}}); err != nil {
			return err
		}
		return refused
	})
	if !errors.Is(err, refused) || o.count("true") != 0 {
		t.Errorf("%v, %d mails", err, o.count("true"))
	}
	err = o.db.InTx(t.Context(), func(tx *postgres.Tx) error {
		return o.box.Put(t.Context(), tx, mail.Message{To: "ada@example.com\r\nBcc: eve@example.com", Template: "test", Data: map[string]string{"time": "now"}})
	})
	if !errors.Is(err, mail.ErrAddress) || o.count("true") != 0 {
		t.Errorf("a second header in the address: %v", err)
	}
}

func TestWithoutAServerMailsWaitAndNothingSaysThatTheyWereSent(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "")
	o.put("ada@example.com")
	o.box.Run(t.Context()) // returns at once
	waiting := o.pending()
	if len(waiting) != 1 || waiting[0].To != "ada@example.com" || waiting[0].Template != "reset" || waiting[0].Attempts != 0 || waiting[0].FailedAt != nil {
		t.Fatalf("%+v", waiting)
	}
	_, content, err := o.box.Show(t.Context(), waiting[0].ID)
	if err != nil || !strings.Contains(content.Text, secretLink) {
		t.Errorf("the operator sees %v %q", err, content.Text)
	}
	if _, _, err := o.box.Show(t.Context(), uuid.New()); !errors.Is(err, mail.ErrNoMail) {
		t.Errorf("another id: %v", err)
	}

	// A server that comes within three days gets it, one that comes later does not.
	s := serveSMTP(t)
	o.pass(3*24*time.Hour + time.Second)
	sending := o.replica(o.db, s.url("smtp+plain"))
	if o.send(sending) != 0 || len(s.received()) != 0 || o.pending()[0].FailedAt == nil || o.pending()[0].LastError == "" {
		t.Errorf("a mail that nobody expects any more: %+v", o.pending())
	}
	err = o.db.InTx(t.Context(), func(tx *postgres.Tx) error { return o.box.Retry(t.Context(), tx, waiting[0].ID) })
	if err != nil || o.send(sending) != 1 || len(s.received()) != 1 {
		t.Errorf("retried by hand: %v, received %d", err, len(s.received()))
	}
	err = o.db.InTx(t.Context(), func(tx *postgres.Tx) error { return o.box.Retry(t.Context(), tx, waiting[0].ID) })
	if !errors.Is(err, mail.ErrSent) {
		t.Errorf("retried though it was sent: %v", err)
	}
}

func TestAServerThatIsAwayGetsTheMailOnceWhenItIsBack(t *testing.T) {
	t.Parallel()
	s := serveSMTP(t)
	address := s.listener.Addr().String()
	s.stop()
	o := newOffice(t, "smtp+plain://"+address)
	o.put("ada@example.com")
	for attempt, wait := range []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour} {
		if o.send(o.box) != 1 {
			t.Fatalf("attempt %d was not made", attempt)
		}
		w := o.pending()[0]
		if w.Attempts != attempt+1 || w.FailedAt != nil || !strings.Contains(w.LastError, "refused") || !w.NextAttempt.Equal(o.now.Load().Add(wait)) {
			t.Fatalf("after attempt %d: %+v", attempt, w)
		}
		if o.pass(wait - time.Second); o.send(o.box) != 0 {
			t.Fatalf("attempt %d came early", attempt+1)
		}
		o.pass(time.Second)
	}
	s.listen(t, address)
	if o.send(o.box) != 1 || len(s.received()) != 1 || len(o.pending()) != 0 {
		t.Fatalf("received %d, %+v", len(s.received()), o.pending())
	}
	if o.pass(24 * time.Hour); o.send(o.box) != 0 || len(s.received()) != 1 {
		t.Error("it was sent again")
	}
}

func TestAServerThatStaysAwayIsGivenUpAfterThreeDays(t *testing.T) {
	t.Parallel()
	s := serveSMTP(t)
	s.stop()
	o := newOffice(t, s.url("smtp+plain"))
	o.put("ada@example.com")
	attempts := 0
	for range 200 {
		attempts += o.send(o.box)
		o.pass(time.Hour)
	}
	w := o.pending()[0]
	if w.FailedAt == nil || attempts < 5 || attempts > 15 || !strings.Contains(w.LastError, "refused") {
		t.Errorf("after %d attempts: %+v", attempts, w)
	}
	if !strings.Contains(o.log.String(), "a mail was given up") || strings.Contains(o.log.String(), "SECRETTOKEN") {
		t.Errorf("the log says %s", o.log.String())
	}
}

func TestAMailWhoseLinkRanOutIsNotSent(t *testing.T) {
	t.Parallel()
	s := serveSMTP(t)
	o := newOffice(t, s.url("smtp+plain"))
	for _, until := range []time.Duration{time.Hour, 100 * 24 * time.Hour} {
		err := o.db.InTx(t.Context(), func(tx *postgres.Tx) error {
			return o.box.Put(t.Context(), tx, mail.Message{
				To: "ada@example.com", Template: "reset", Data: map[string]string{"link": secretLink}, Until: o.now.Load().Add(until),
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	o.pass(time.Hour + time.Second)
	if o.send(o.box) != 1 || len(s.received()) != 1 || o.count("failed_at IS NOT NULL") != 1 {
		t.Errorf("after an hour %d came; %+v", len(s.received()), o.pending())
	}
}

func TestWhatTheServerRefusesForGoodIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	for about, c := range map[string]struct {
		command, answer, want string
		given                 bool
	}{
		"no such mailbox":        {"RCPT", "550 5.1.1 no such user here", "no such user here", true},
		"content refused":        {"BODY", "554 5.7.1 this looks like spam: " + secretLink, "this looks like spam: [link]", true},
		"mailbox busy":           {"RCPT", "451 4.2.1 try later", "try later", false},
		"content not now":        {"BODY", "452 4.3.1 disk full", "disk full", false},
		"sender refused":         {"MAIL", "550 5.7.1 not your domain", "not your domain", false},
		"sender without account": {"MAIL", "530 5.7.0 sign in first", "sign in first", false},
		"cut":                    {"DATA", "cut", "EOF", false},
	} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			s := serveSMTP(t)
			s.script(func(command string) string {
				if strings.HasPrefix(command, c.command) {
					return c.answer
				}
				return ""
			})
			o := newOffice(t, s.url("smtp+plain"))
			o.put("ada@example.com")
			o.send(o.box)
			w := o.pending()[0]
			if (w.FailedAt != nil) != c.given || !strings.Contains(w.LastError, c.want) || strings.Contains(w.LastError, "SECRETTOKEN") {
				t.Errorf("%+v", w)
			}
			again := o.send(o.box)
			o.pass(10 * time.Minute)
			if again += o.send(o.box); (again == 0) != c.given {
				t.Errorf("%d more attempts", again)
			}
		})
	}
}

func TestAPasswordIsInNoErrorAndNoLog(t *testing.T) {
	t.Parallel()
	const password = "hunter2-hunter2"
	s := serveSMTP(t)
	s.script(func(command string) string {
		if strings.HasPrefix(command, "AUTH") {
			return "535 5.7.8 " + password + " is wrong"
		}
		return ""
	})
	o := newOffice(t, "smtp+plain://openhands:"+password+"@"+s.listener.Addr().String())
	o.put("ada@example.com")
	o.send(o.box)
	w := o.pending()[0]
	if w.FailedAt != nil || !strings.Contains(w.LastError, "is wrong") || strings.Contains(w.LastError+o.log.String(), password) {
		t.Errorf("%+v\n%s", w, o.log.String())
	}
	if _, err := mail.NewSender("smtp://openhands:"+password+"@[", "a@example.com"); err == nil || strings.Contains(err.Error(), password) {
		t.Errorf("a URL that cannot be read: %v", err)
	}
}

func TestAReplicaThatDiedInTheMiddleIsFollowedByAnother(t *testing.T) {
	t.Parallel()
	s := serveSMTP(t)
	o := newOffice(t, s.url("smtp+plain"))
	o.put("ada@example.com")

	// The first replica gives the mail to the server, and dies before the answer is noted.
	s.script(func(command string) string {
		if command == "BODY" {
			return "cut"
		}
		return ""
	})
	if _, err := o.db.Exec(`CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'gone'; END $$;
		CREATE TRIGGER die BEFORE UPDATE OF last_error ON mail_outbox FOR EACH ROW EXECUTE FUNCTION die()`); err != nil {
		t.Fatal(err)
	}
	o.send(o.box)
	if _, err := o.db.Exec(`DROP TRIGGER die ON mail_outbox`); err != nil {
		t.Fatal(err)
	}
	s.script(func(string) string { return "" })

	second := o.replica(o.db, s.url("smtp+plain"))
	if o.send(second) != 0 {
		t.Fatal("another replica took the mail while it was claimed")
	}
	o.pass(3*time.Minute + time.Second)
	if o.send(second) != 1 || len(o.pending()) != 0 {
		t.Fatalf("%+v", o.pending())
	}
	got := s.received()
	if len(got) != 2 || header(t, got[0], "Message-Id") != header(t, got[1], "Message-Id") || header(t, got[0], "Message-Id") == "" {
		t.Errorf("it came %d times; a second one must have the first one's id", len(got))
	}
}

func header(t *testing.T, raw, name string) string {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return m.Header.Get(name)
}

func TestAFailureThatComesLateDoesNotUndoWhatAnotherReplicaDid(t *testing.T) {
	t.Parallel()
	slow := serveSMTP(t)
	held, release := make(chan struct{}, 1), make(chan struct{})
	slow.script(func(command string) string {
		if strings.HasPrefix(command, "RCPT") {
			held <- struct{}{}
			<-release
			return "550 no"
		}
		return ""
	})
	o := newOffice(t, slow.url("smtp+plain"))
	o.put("ada@example.com")
	done := make(chan struct{})
	go func() { defer close(done); _, _ = o.box.SendDue(context.WithoutCancel(t.Context())) }()
	<-held
	o.pass(4 * time.Minute) // its claim ran out
	quick := serveSMTP(t)
	if o.send(o.replica(o.db, quick.url("smtp+plain"))) != 1 || len(quick.received()) != 1 {
		t.Fatal("the second replica did not send it")
	}
	close(release)
	<-done
	if o.count("sent_at IS NOT NULL AND failed_at IS NULL") != 1 {
		t.Errorf("%+v", o.pending())
	}
}

func TestTwoReplicasSendEachMailOnce(t *testing.T) {
	t.Parallel()
	s := serveSMTP(t)
	o := newOffice(t, s.url("smtp+plain"))
	const mails, workers = 60, 8
	for n := range mails {
		o.put(fmt.Sprintf("user%d@example.com", n))
	}
	second := o.replica(dbtest.Open(t, o.url), s.url("smtp+plain"))
	var running sync.WaitGroup
	for n := range workers {
		box := []*mail.Outbox{o.box, second}[n%2]
		running.Go(func() {
			for {
				if count, err := box.SendDue(t.Context()); err != nil || count == 0 {
					if err != nil {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	running.Wait()
	seen := map[string]int{}
	for _, raw := range s.received() {
		seen[header(t, raw, "To")]++
	}
	if len(seen) != mails || len(s.received()) != mails {
		t.Errorf("%d mails came to %d people", len(s.received()), len(seen))
	}
}

func TestAMailGoesOutAtOnceWhoeverPutIt(t *testing.T) {
	t.Parallel()
	s := serveSMTP(t)
	o := newOffice(t, "") // puts, and has no way to send
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	sending := o.replica(o.db, s.url("smtp+plain"))
	go func() { defer close(done); sending.Run(ctx) }()
	defer func() { stop(); <-done }()
	for n := range 20 { // many, since one that is put while another is sent is found without being told; the next look is an hour away
		o.put("ada@example.com")
		until(t, "the next mail", func() bool { return o.count("sent_at IS NOT NULL") == n+1 })
	}
}

func TestOldRowsArePurged(t *testing.T) {
	t.Parallel()
	s := serveSMTP(t)
	o := newOffice(t, s.url("smtp+plain"))
	o.put("sent@example.com")
	o.send(o.box)
	s.script(func(command string) string {
		if strings.HasPrefix(command, "RCPT") {
			return "550 no"
		}
		return ""
	})
	o.put("failed@example.com")
	o.send(o.box)
	for _, c := range []struct {
		after time.Duration
		left  int
	}{{6 * 24 * time.Hour, 2}, {25 * time.Hour, 1}, {22 * 24 * time.Hour, 1}, {2 * 24 * time.Hour, 0}} {
		o.pass(c.after)
		if _, err := o.box.Purge(t.Context()); err != nil || o.count("true") != c.left {
			t.Errorf("%v later %d are left, want %d (%v)", c.after, o.count("true"), c.left, err)
		}
	}
}

func TestAMailThatDoesNotOpenWaitsForItsKey(t *testing.T) {
	t.Parallel()
	s := serveSMTP(t)
	o := newOffice(t, s.url("smtp+plain"))
	o.put("ada@example.com")
	mine := o.keys
	other, _, err := sealed.New()
	if err != nil {
		t.Fatal(err)
	}
	o.keys = other
	if o.send(o.replica(o.db, s.url("smtp+plain"))); !strings.Contains(o.pending()[0].LastError, "not in the keyset") || o.pending()[0].FailedAt != nil {
		t.Errorf("%+v", o.pending())
	}
	o.keys = mine
	o.pass(time.Minute)
	if o.send(o.replica(o.db, s.url("smtp+plain"))) != 1 || len(s.received()) != 1 {
		t.Errorf("with its key: %+v", o.pending())
	}
}

func TestAServerThatHangsUpAfterItTookAMailGetsItOnce(t *testing.T) {
	t.Parallel()
	s := serveSMTP(t)
	s.script(func(command string) string {
		if command == "QUIT" {
			return "cut"
		}
		return ""
	})
	o := newOffice(t, s.url("smtp+plain"))
	o.put("ada@example.com")
	o.send(o.box)
	o.pass(time.Hour)
	if o.send(o.box) != 0 || len(s.received()) != 1 || len(o.pending()) != 0 {
		t.Errorf("it came %d times; %+v", len(s.received()), o.pending())
	}
}

func TestAServerThatSaysNothingDoesNotHoldUpAStop(t *testing.T) {
	t.Parallel()
	s := serveSMTP(t)
	asked, release := make(chan struct{}, 1), make(chan struct{})
	defer close(release)
	s.script(func(command string) string {
		if strings.HasPrefix(command, "EHLO") {
			asked <- struct{}{}
			<-release
		}
		return ""
	})
	o := newOffice(t, s.url("smtp+plain"))
	o.put("ada@example.com")
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); o.box.Run(ctx) }()
	<-asked
	stop()
	select {
	case <-done:
	case <-time.After(15 * time.Second): // the server would be waited for for a minute
		t.Fatal("it does not stop")
	}
	if w := o.pending(); len(w) != 1 || w[0].FailedAt != nil {
		t.Errorf("%+v", w)
	}
}
