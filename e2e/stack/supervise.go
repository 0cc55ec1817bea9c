package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/openhands-saas/openhands-saas/e2e/stack/child"
)

const (
	firstPause   = 500 * time.Millisecond // before a start is tried again
	longestPause = 15 * time.Second
	pollEvery    = 100 * time.Millisecond
)

// supervise keeps the server running while it is wanted. A start can fail by
// chance (the LLM library's imports can deadlock), so every end is followed by
// another start after a pause that grows while ends follow each other quickly.
func (u *Upstream) supervise(ctx context.Context) {
	defer close(u.ended)
	for pause := firstPause; u.waitWanted(ctx); {
		began := time.Now()
		u.once(ctx)
		if time.Since(began) > time.Minute {
			pause = firstPause
		}
		select {
		case <-ctx.Done():
		case <-u.wake:
			pause = firstPause
		case <-time.After(pause):
			pause = min(2*pause, longestPause)
		}
	}
}

func (u *Upstream) waitWanted(ctx context.Context) bool {
	for ctx.Err() == nil {
		u.mu.Lock()
		wanted := u.wanted
		u.mu.Unlock()
		if wanted {
			return true
		}
		select {
		case <-ctx.Done():
		case <-u.wake:
		}
	}
	return false
}

// once runs the server until its process ends.
func (u *Upstream) once(ctx context.Context) {
	p, err := u.launch()
	if err != nil {
		u.note("start: " + err.Error())
		return
	}
	if p == nil {
		return
	}
	u.awaitReady(ctx, p)
	<-p.Done()
	u.note(fmt.Sprintf("ended: %v", p.Err()))
}

// awaitReady takes the keys away from the disk once the server holds them. One
// that does not come up in two minutes is ended, to be started again.
func (u *Upstream) awaitReady(ctx context.Context, p *child.Process) {
	deadline := time.Now().Add(2 * time.Minute)
	for !u.answers(ctx) {
		select {
		case <-p.Done():
			return
		case <-time.After(pollEvery):
		}
		if time.Now().After(deadline) {
			u.end(p)
			return
		}
	}
	_ = os.Remove(u.layout.path("config.json"))
	u.mu.Lock()
	u.settled = true
	u.mu.Unlock()
}

// WaitReady returns when the server answers to its key and its keys are off
// the disk.
func (u *Upstream) WaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, u.options.Patience)
	defer cancel()
	for {
		_, err := os.Stat(u.layout.path("config.json"))
		if os.IsNotExist(err) && u.answers(ctx) {
			return u.readVersion(ctx)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", ctx.Err())
		case <-u.ended:
			return fmt.Errorf("it was stopped")
		case <-time.After(pollEvery):
		}
	}
}

// answers asks for something that only our key opens: another program that
// took the port would not answer that.
func (u *Upstream) answers(ctx context.Context) bool {
	_, err := u.get(ctx, "/api/conversations/count")
	return err == nil
}

func (u *Upstream) readVersion(ctx context.Context) error {
	body, err := u.get(ctx, "/server_info")
	if err != nil {
		return err
	}
	var info struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal(body, &info); err != nil {
		return fmt.Errorf("read the upstream's version: %w", err)
	}
	u.mu.Lock()
	u.version = info.Version
	u.mu.Unlock()
	return nil
}

func (u *Upstream) get(ctx context.Context, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.URL()+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("X-Session-API-Key", u.key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the upstream answers %s", response.Status)
	}
	return io.ReadAll(io.LimitReader(response.Body, 1<<20))
}

// note writes a line of ours into the server's log.
func (u *Upstream) note(text string) {
	log, err := os.OpenFile(u.LogFile(), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer func() { _ = log.Close() }()
	fmt.Fprintf(log, "[supervisor %s] %s\n", time.Now().UTC().Format(time.RFC3339), text)
}
