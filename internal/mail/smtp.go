package mail

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	"golang.org/x/net/idna"
)

// The ways to a server, by the scheme of its URL.
const (
	schemeStartTLS = "smtp"       // STARTTLS, or nothing is sent
	schemeTLS      = "smtps"      // TLS from the first byte
	schemePlain    = "smtp+plain" // readable by everybody in between: for a server on this machine
)

// sendTimeout bounds one mail from the dial to the server's last word.
const sendTimeout = time.Minute

// Sender gives mails to an SMTP server.
type Sender struct {
	url    *url.URL
	from   *netmail.Address
	domain string // of from; it makes Message-IDs ours
	roots  *x509.CertPool
}

// NewSender reads SMTP_URL and MAIL_FROM. It contacts nobody.
func NewSender(rawURL, from string) (*Sender, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("the SMTP URL cannot be read") // the cause quotes it, with the password
	}
	if u.Scheme != schemeStartTLS && u.Scheme != schemeTLS && u.Scheme != schemePlain {
		return nil, fmt.Errorf("the SMTP URL begins with %s://: write smtp, smtps or smtp+plain", u.Scheme)
	}
	address, err := netmail.ParseAddress(from)
	if err != nil {
		return nil, fmt.Errorf("the sender of mails: %w", err)
	}
	address.Address = asciiDomain(address.Address)
	return &Sender{url: u, from: address, domain: address.Address[strings.LastIndexByte(address.Address, '@')+1:]}, nil
}

// Server is where mails go, for people.
func (s *Sender) Server() string { return net.JoinHostPort(s.url.Hostname(), strconv.Itoa(s.port())) }

// letter is a mail with its envelope.
type letter struct {
	id      string // the same for each attempt
	to      string
	written time.Time
	Content
}

// send gives one mail to the server. When it returns nil, the server has taken responsibility for it.
func (s *Sender) send(ctx context.Context, l letter) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	message, err := s.compose(l)
	if err != nil {
		return err
	}
	client, err := s.client(ctx)
	if err != nil {
		return err
	}
	err = client.DialAndSendWithContext(ctx, message)
	if message.IsDelivered() {
		return nil // what went wrong afterwards, such as at the farewell, changes nothing
	}
	return err
}

func (s *Sender) compose(l letter) (*gomail.Msg, error) {
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	m.FromMailAddress(s.from)
	if err := m.To(asciiDomain(l.to)); err != nil {
		return nil, ErrAddress
	}
	m.Subject(l.Subject)
	m.SetDateWithValue(l.written)
	m.SetMessageIDWithValue(l.id + "@" + s.domain)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // no out-of-office answers, please
	m.SetGenHeader("X-Auto-Response-Suppress", "All")
	m.SetBodyString(gomail.TypeTextPlain, l.Text)
	m.AddAlternativeString(gomail.TypeTextHTML, l.HTML)
	return m, nil
}

// client is made for each mail: a connection that is kept would have to be kept alive.
func (s *Sender) client(ctx context.Context) (*gomail.Client, error) {
	host := s.url.Hostname()
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, RootCAs: s.roots}
	options := []gomail.Option{
		gomail.WithPort(s.port()), gomail.WithTimeout(sendTimeout), gomail.WithTLSConfig(config),
		gomail.WithoutNoop(), gomail.WithoutRset(), gomail.WithDialContextFunc(s.dialer(ctx, config)),
	}
	switch s.url.Scheme {
	case schemeTLS:
		options = append(options, gomail.WithSSL())
	case schemePlain:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	return gomail.NewClient(host, append(options, s.login()...)...)
}

// dialer ends the connection with the context: the library knows the context only while it dials.
func (s *Sender) dialer(ctx context.Context, config *tls.Config) gomail.DialContextFunc {
	return func(dialing context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(dialing, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { _ = conn.Close() })
		if s.url.Scheme != schemeTLS {
			return conn, nil
		}
		secured := tls.Client(conn, config)
		if err := secured.HandshakeContext(dialing); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return secured, nil
	}
}

// login names the ways to prove who we are, the preferred first: the password is as safe as the connection, which is TLS, or ends on
// this machine.
func (s *Sender) login() []gomail.Option {
	if s.url.User == nil {
		return nil
	}
	password, _ := s.url.User.Password()
	return []gomail.Option{
		gomail.WithUsername(s.url.User.Username()), gomail.WithPassword(password),
		gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthCramMD5),
	}
}

func (s *Sender) port() int {
	if port, err := strconv.Atoi(s.url.Port()); err == nil {
		return port
	}
	switch s.url.Scheme {
	case schemeTLS:
		return 465
	case schemePlain:
		return 25
	}
	return 587
}

// asciiDomain writes the domain as every server reads it.
func asciiDomain(address string) string {
	at := strings.LastIndexByte(address, '@')
	if domain, err := idna.Lookup.ToASCII(address[at+1:]); err == nil {
		return address[:at+1] + domain
	}
	return address
}

// permanent says whether the server refused this mail for good, rather than all mails, or for now. What is wrong with the account,
// the sender or the connection can be put right while the mail waits.
func permanent(err error) bool {
	refused, is := errors.AsType[*gomail.SendError](err)
	if errors.Is(err, ErrAddress) {
		return true
	}
	if !is || refused.ErrorCode() < 500 {
		return false
	}
	switch refused.Reason {
	case gomail.ErrSMTPRcptTo, gomail.ErrSMTPDataClose:
		return true
	}
	return false
}

// links are what no server's answer may carry into our tables: they may be quoted from the mail.
var links = regexp.MustCompile(`(?i)\bhttps?://\S+`)

// maxReason bounds a kept error, in characters.
const maxReason = 500

// reason is an error in one line, without passwords and links.
func (s *Sender) reason(err error) string {
	text := err.Error()
	if password, set := s.url.User.Password(); set && password != "" {
		text = strings.ReplaceAll(text, password, "…")
	}
	text, _, _ = strings.Cut(text, ", affected message ID: ")
	text = strings.Join(strings.Fields(strings.Map(func(c rune) rune {
		if unpresentable(c) {
			return ' '
		}
		return c
	}, links.ReplaceAllString(text, "[link]"))), " ")
	if letters := []rune(text); len(letters) > maxReason {
		text = string(letters[:maxReason-1]) + "…"
	}
	return text
}

// Test sends a test mail at once, past any outbox, in the name of the site. Its error is for people: what the server said.
func (s *Sender) Test(ctx context.Context, site, to string) error {
	now := time.Now()
	content, err := render(Message{To: to, Template: "test", Data: map[string]string{"time": now.UTC().Format(time.RFC1123)}}, site)
	if err != nil {
		return err
	}
	if err := s.send(ctx, letter{id: rand.Text(), to: to, written: now, Content: content}); err != nil {
		return errors.New(s.reason(err))
	}
	return nil
}
