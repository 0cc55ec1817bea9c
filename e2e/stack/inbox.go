package stack

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/openhands-saas/openhands-saas/e2e/stack/child"
)

// InboxOptions say how an inbox is started.
type InboxOptions struct {
	Mailpit  string   // the program, as setup.Ensure found it
	DataDir  string   // its log and its mails, kept between starts
	PagePort int      // where its page should be; default, and when that port is taken: a free one
	Args     []string // further arguments of the program, such as for TLS
}

// Inbox is a supervised SMTP server that takes every mail and keeps it, and a page on which people read what came. When its process
// ends by itself it is started again on the same addresses.
type Inbox struct {
	options   InboxOptions
	smtp, api int // ports
	page      *page
	stop      context.CancelFunc // ends the supervisor
	ended     chan struct{}      // closed when it has ended
	mu        sync.Mutex
	wanted    bool
	process   *child.Process
	wake      chan struct{} // tells the supervisor that wanted changed
}

// StartInbox starts an inbox on free loopback ports and returns when it answers.
func StartInbox(ctx context.Context, o InboxOptions) (*Inbox, error) {
	i := &Inbox{options: o, wanted: true, ended: make(chan struct{}), wake: make(chan struct{}, 1)}
	if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for mails: %w", err)
	}
	var err error
	if i.smtp, err = freePort(); err != nil {
		return nil, err
	}
	if i.api, err = freePort(); err != nil {
		return nil, err
	}
	if i.page, err = openPage(o.PagePort, i.apiURL()); err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(context.Background())
	i.stop = stop
	go i.supervise(life)
	if err := i.WaitReady(ctx); err != nil {
		i.Stop()
		return nil, fmt.Errorf("start the inbox: %w; the end of %s:\n%s", err, i.logFile(), tail(i.log(), 30))
	}
	return i, nil
}

// SMTPURL is the inbox as the product's SMTP_URL.
func (i *Inbox) SMTPURL() string { return "smtp+plain://" + i.SMTPAddress() }

// SMTPAddress is the address of the SMTP server.
func (i *Inbox) SMTPAddress() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(i.smtp)) }

// URL is where people read what came.
func (i *Inbox) URL() string { return i.page.url }

func (i *Inbox) apiURL() string {
	return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(i.api))
}
func (i *Inbox) logFile() string { return filepath.Join(i.options.DataDir, "mailpit.log") }
func (i *Inbox) log() string     { text, _ := os.ReadFile(i.logFile()); return string(text) }

// supervise keeps the process running while it is wanted.
func (i *Inbox) supervise(ctx context.Context) {
	defer close(i.ended)
	for ctx.Err() == nil {
		if p := i.launch(); p != nil {
			<-p.Done()
		}
		select {
		case <-ctx.Done():
		case <-i.wake:
		case <-time.After(firstPause):
		}
	}
}

// launch starts the process, if it is wanted.
func (i *Inbox) launch() *child.Process {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.wanted {
		return nil
	}
	log, err := os.OpenFile(i.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(i.options.Mailpit, append([]string{
		"--listen", net.JoinHostPort("127.0.0.1", strconv.Itoa(i.api)), "--smtp", i.SMTPAddress(),
		"--database", filepath.Join(i.options.DataDir, "mailpit.db"), "--max", "0",
		"--disable-version-check", "--smtp-disable-rdns", "--enable-chaos",
	}, i.options.Args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + i.options.DataDir, "TMPDIR=" + i.options.DataDir}
	cmd.Stdout, cmd.Stderr = log, log
	if i.process, err = child.Start(cmd, syscall.SIGKILL); err != nil {
		fmt.Fprintln(log, "start:", err)
		return nil
	}
	return i.process
}

// WaitReady returns when the inbox answers.
func (i *Inbox) WaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, i.apiURL()+"/readyz", nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", ctx.Err())
		case <-time.After(pollEvery):
		}
	}
}

// Down ends the server and keeps it down until Up. Its page goes on, and its mails are kept.
func (i *Inbox) Down() { i.want(false) }

// Up starts the server again after Down, on the same addresses, and returns when it answers.
func (i *Inbox) Up(ctx context.Context) error {
	i.want(true)
	return i.WaitReady(ctx)
}

// Stop ends everything.
func (i *Inbox) Stop() {
	i.stop()
	i.want(false)
	<-i.ended
	i.page.close()
}

func (i *Inbox) want(wanted bool) {
	i.mu.Lock()
	i.wanted = wanted
	p := i.process
	i.mu.Unlock()
	if !wanted && p != nil {
		p.Stop(5 * time.Second)
	}
	select {
	case i.wake <- struct{}{}:
	default:
	}
}
