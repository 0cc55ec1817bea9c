package mail

import (
	"context"
	"sync"
	"time"
)

const (
	claimFor   = 3 * time.Minute // longer than any attempt takes
	lastMoment = 5 * time.Second // for attempts that are under way when a stop is asked for
)

// Run sends what is due, at once when a mail is put, until ctx ends. Several replicas may run at the same time. Without a sender
// it returns at once: then mails wait.
func (o *Outbox) Run(ctx context.Context) {
	if o.cfg.Sender == nil {
		return
	}
	ticker := time.NewTicker(o.cfg.Poll)
	defer ticker.Stop()
	for {
		o.drain(ctx)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-o.wake:
		}
	}
}

// drain sends until nothing is due.
func (o *Outbox) drain(ctx context.Context) {
	for ctx.Err() == nil {
		count, err := o.SendDue(ctx)
		if err != nil && ctx.Err() == nil {
			o.cfg.Log.WarnContext(ctx, "the outbox of mails cannot be read; the next look tries again", "error", err)
		}
		if err != nil || count == 0 {
			return
		}
	}
}

// SendDue makes one attempt for each of a few mails that are due, and says for how many.
func (o *Outbox) SendDue(ctx context.Context) (int, error) {
	now := o.cfg.Now()
	if err := giveUpOld(ctx, o.db, now); err != nil {
		return 0, err
	}
	rows, err := claim(ctx, o.db, now, now.Add(claimFor), o.cfg.Workers)
	if err != nil {
		return 0, err
	}
	sending, cancel := untilLastMoment(ctx)
	defer cancel()
	var attempts sync.WaitGroup
	for _, r := range rows {
		attempts.Go(func() { o.attempt(sending, r) })
	}
	attempts.Wait()
	return len(rows), nil
}

// untilLastMoment is a context that outlives ctx by a moment, so that a stop cuts no mail in the middle where it can be helped.
func untilLastMoment(ctx context.Context) (context.Context, context.CancelFunc) {
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(lastMoment, cancel) })
	return sending, func() { stop(); cancel() }
}

// attempt tries one mail and notes what came of it. What is not noted, since the database or the process went away, is tried again
// when the claim has run out.
func (o *Outbox) attempt(ctx context.Context, r row) {
	content, err := o.open(r.ID, r.Body)
	if err == nil {
		err = o.cfg.Sender.send(ctx, letter{id: r.ID.String(), to: r.To, written: r.CreatedAt, Content: content})
	}
	if err == nil {
		err = sent(ctx, o.db, r.ID, o.cfg.Now())
	} else {
		err = o.postpone(ctx, r, err)
	}
	if err != nil {
		o.cfg.Log.WarnContext(ctx, "what came of a mail could not be noted; it may be sent again", "mail", r.ID, "error", err)
	}
}

// postpone notes why a mail was not sent, and when it is tried again, if ever.
func (o *Outbox) postpone(ctx context.Context, r row, cause error) error {
	now := o.cfg.Now()
	next := now.Add(pause(r.Attempts))
	reason := o.cfg.Sender.reason(cause)
	if permanent(cause) || next.After(r.GiveUp) {
		o.cfg.Log.WarnContext(ctx, "a mail was given up", "mail", r.ID, "template", r.Template, "attempts", r.Attempts, "reason", reason)
		return failed(ctx, o.db, r.ID, r.Attempts, reason, now, nil)
	}
	o.cfg.Log.InfoContext(ctx, "a mail was not sent; it is tried again", "mail", r.ID, "template", r.Template, "attempts", r.Attempts, "next", next, "reason", reason)
	return failed(ctx, o.db, r.ID, r.Attempts, reason, now, &next)
}

// pause is how long to wait after so many attempts.
func pause(attempts int) time.Duration {
	steps := []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour}
	if attempts > len(steps) {
		return 12 * time.Hour
	}
	return steps[max(attempts, 1)-1]
}
