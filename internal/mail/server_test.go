package mail_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// server is a scripted SMTP server. It takes every mail, unless answer says otherwise.
type server struct {
	listener net.Listener
	tls      *tls.Config // offers STARTTLS when set
	implicit bool        // speaks TLS from the first byte

	mu       sync.Mutex
	answer   func(command string) string // the answer to a command, "" for the usual one; "cut" hangs up
	commands []string
	mails    []string
	open     map[net.Conn]bool
}

func serveSMTP(t *testing.T, configure ...func(*server)) *server {
	t.Helper()
	s := &server{open: map[net.Conn]bool{}, answer: func(string) string { return "" }}
	for _, c := range configure {
		c(s)
	}
	s.listen(t, "127.0.0.1:0")
	return s
}

func (s *server) listen(t *testing.T, address string) {
	t.Helper()
	var err error
	if s.listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.stop)
	go s.accept(s.listener)
}

func (s *server) stop() {
	_ = s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.open {
		_ = conn.Close()
	}
}

func (s *server) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		if s.implicit {
			conn = tls.Server(conn, s.tls)
		}
		s.mu.Lock()
		s.open[conn] = true
		s.mu.Unlock()
		go s.converse(conn)
	}
}

// converse speaks with one client.
func (s *server) converse(conn net.Conn) {
	defer func() {
		s.mu.Lock()
		delete(s.open, conn)
		s.mu.Unlock()
		_ = conn.Close()
	}()
	secured := s.implicit
	say(conn, "220 here")
	for lines := bufio.NewReader(conn); ; {
		command, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		command = strings.TrimRight(command, "\r\n")
		reply := s.reply(command, secured)
		if reply == "cut" {
			return
		}
		say(conn, reply)
		switch verb, _, _ := strings.Cut(strings.ToUpper(command), " "); {
		case verb == "QUIT":
			return
		case verb == "STARTTLS" && strings.HasPrefix(reply, "220"):
			wrapped := tls.Server(conn, s.tls)
			conn, lines, secured = wrapped, bufio.NewReader(wrapped), true
		case verb == "DATA" && strings.HasPrefix(reply, "354"):
			body, err := io.ReadAll(textproto.NewReader(lines).DotReader())
			if err != nil {
				return
			}
			if reply = s.taken(string(body)); reply == "cut" {
				return
			}
			say(conn, reply)
		}
	}
}

func say(conn net.Conn, reply string) { fmt.Fprint(conn, reply+"\r\n") }

func (s *server) reply(command string, secured bool) string {
	s.mu.Lock()
	s.commands = append(s.commands, command)
	scripted := s.answer(command)
	s.mu.Unlock()
	if scripted != "" {
		return scripted
	}
	switch verb, _, _ := strings.Cut(strings.ToUpper(command), " "); verb {
	case "EHLO":
		offers := "250-here\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
		if s.tls != nil && !secured {
			offers += "250-STARTTLS\r\n"
		}
		return offers + "250 AUTH PLAIN LOGIN"
	case "STARTTLS":
		return "220 go on"
	case "DATA":
		return "354 go on"
	case "AUTH":
		return "235 welcome"
	case "QUIT":
		return "221 bye"
	}
	return "250 ok"
}

// taken keeps a mail. The answer to it is scripted under the name "BODY".
func (s *server) taken(body string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	scripted := s.answer("BODY")
	if scripted == "" || scripted == "cut" {
		s.mails = append(s.mails, body)
	}
	if scripted == "" {
		return "250 taken"
	}
	return scripted
}

func (s *server) script(answer func(command string) string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *server) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.mails...)
}

func (s *server) heard() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.commands, "\n")
}

func (s *server) url(scheme string) string { return scheme + "://" + s.listener.Addr().String() }
