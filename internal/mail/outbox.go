package mail

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Sealer closes what a mail says, for the database. Keys of package sealed do.
type Sealer interface {
	Seal(plain []byte, place ...string) ([]byte, error)
	Open(sealed []byte, place ...string) ([]byte, error)
}

// Config is what an Outbox needs.
type Config struct {
	DB      *postgres.DB     // required
	Seal    Sealer           // required
	Site    string           // the origin that people see, named in every mail
	Sender  *Sender          // nil: mails wait
	Now     func() time.Time // time.Now by default
	Log     *slog.Logger     // discards by default
	Workers int              // mails that are sent at the same time; 4 by default
	Poll    time.Duration    // how often Run looks by itself; 5 s by default
}

// Outbox is the mails of one installation, as one replica puts and sends them.
type Outbox struct {
	cfg  Config
	db   *postgres.DB
	wake chan struct{} // somebody put a mail
}

// New makes an outbox. Nothing is sent before Run.
func New(cfg Config) *Outbox {
	cfg.Workers, cfg.Poll = cmp.Or(cfg.Workers, 4), cmp.Or(cfg.Poll, 5*time.Second)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	o := &Outbox{cfg: cfg, db: cfg.DB, wake: make(chan struct{}, 1)}
	cfg.DB.Bus.Subscribe(o.hear)
	return o
}

// hear is told of every change anywhere. An event that stands for anything may stand for a mail.
func (o *Outbox) hear(e postgres.Event) {
	if e.Topic != postgres.TopicMail && e.Topic != "" {
		return
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// tryFor is how long a mail is tried before it is given up.
const tryFor = 3 * 24 * time.Hour

// Put writes a mail, to go out at once when the transaction commits. What is wrong with the mail is said here, not at the sending.
func (o *Outbox) Put(ctx context.Context, tx *postgres.Tx, m Message) error {
	content, err := render(m, o.cfg.Site)
	if err != nil {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make an id: %w", err)
	}
	body, err := o.close(id, content)
	if err != nil {
		return err
	}
	now := o.cfg.Now()
	row := newRow{id: id, to: m.To, template: m.Template, subject: content.Subject, body: body, now: now, giveUp: m.giveUp(now)}
	if err := insert(ctx, tx, row); err != nil {
		return err
	}
	return tx.Notify(postgres.TopicMail, id)
}

// giveUp is when a mail that is put now is given up.
func (m Message) giveUp(now time.Time) time.Time {
	longest := now.Add(tryFor)
	if m.Until.IsZero() || m.Until.After(longest) {
		return longest
	}
	return m.Until
}

// close seals what a mail says, for its row.
func (o *Outbox) close(id uuid.UUID, c Content) ([]byte, error) {
	plain, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode a mail: %w", err)
	}
	return o.cfg.Seal.Seal(plain, Place(id)...)
}

// open gives back what close sealed.
func (o *Outbox) open(id uuid.UUID, body []byte) (c Content, err error) {
	plain, err := o.cfg.Seal.Open(body, Place(id)...)
	if err != nil {
		return c, fmt.Errorf("open a mail: %w", err)
	}
	return c, json.Unmarshal(plain, &c)
}

// Place is what the body of a mail is sealed for: in another row it does not open.
func Place(id uuid.UUID) []string { return []string{"mail_outbox", id.String(), "body"} }

// Waiting is a mail that is not sent, as operators see it: never what it says.
type Waiting struct {
	ID          uuid.UUID  `json:"id" db:"id"`
	To          string     `json:"to" db:"to_address"`
	Template    string     `json:"template" db:"template"`
	Subject     string     `json:"subject" db:"subject"`
	CreatedAt   time.Time  `json:"created_at" db:"created_at"`
	Attempts    int        `json:"attempts" db:"attempts"`
	NextAttempt time.Time  `json:"next_attempt_at" db:"next_attempt_at"`
	LastError   string     `json:"last_error" db:"last_error"`
	FailedAt    *time.Time `json:"failed_at" db:"failed_at"` // nil: it is still tried
}

// Pending lists mails that are not sent, waiting and given up, the newest first.
func (o *Outbox) Pending(ctx context.Context, limit int) ([]Waiting, error) {
	found, err := pending(ctx, o.db, limit)
	return found, postgres.Problem(err)
}

// ErrNoMail is the answer for an id that no mail has.
var ErrNoMail = problem.New(http.StatusNotFound, "There is no such mail. List those that wait with: openhands-saas mail list")

// ErrSent is the answer for a mail that went out: what it said is not kept.
var ErrSent = problem.New(http.StatusConflict, "This mail was sent, and what it said is not kept.")

// Show returns a mail that is not sent, with all that it says: whoever reads that can do what its reader could.
func (o *Outbox) Show(ctx context.Context, id uuid.UUID) (Waiting, Content, error) {
	row, err := byID(ctx, o.db, id)
	if err != nil {
		return Waiting{}, Content{}, postgres.Problem(err)
	}
	content, err := o.open(id, row.Body)
	return row.Waiting, content, err
}

// Retry has a mail tried again at once, and for as long as a new one, also when it was given up.
func (o *Outbox) Retry(ctx context.Context, tx *postgres.Tx, id uuid.UUID) error {
	if _, err := byID(ctx, tx, id); err != nil {
		return err
	}
	now := o.cfg.Now()
	if err := again(ctx, tx, id, now, now.Add(tryFor)); err != nil {
		return err
	}
	return tx.Notify(postgres.TopicMail, id)
}

// How long rows are kept: of what was sent, for those who ask whether it was; of what was not, for those who may still help.
const (
	keepSent   = 7 * 24 * time.Hour
	keepUnsent = 30 * 24 * time.Hour
)

// Purge deletes what was sent more than 7 days ago and what was put more than 30 days ago, and says how many rows went.
func (o *Outbox) Purge(ctx context.Context) (int, error) {
	now := o.cfg.Now()
	deleted, err := purge(ctx, o.db, now.Add(-keepSent), now.Add(-keepUnsent))
	return deleted, postgres.Problem(err)
}
