package e2e_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// flow is what a connection to the database does with what the database says.
type flow int

const (
	flows  flow = iota
	silent      // it is held back, as by a network that drops every packet
	gone        // the connection is closed, and new ones are too
)

// databaseWay is the way of one replica to the database. A test can cut it without harming the others.
type databaseWay struct {
	url    string // for the replica
	socket string // of the server

	mu           sync.Mutex
	changed      *sync.Cond
	listens, all flow // all counts for every connection, listens for the one that listens
	lines        map[*databaseLine]struct{}
}

// databaseLine is one connection.
type databaseLine struct {
	client, server net.Conn
	listens        bool
}

func newDatabaseWay(t *testing.T, database string) *databaseWay {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	w := &databaseWay{socket: query.Get("host") + "/.s.PGSQL." + query.Get("port"), lines: map[*databaseLine]struct{}{}}
	w.changed = sync.NewCond(&w.mu)
	host, port, _ := net.SplitHostPort(front.Addr().String())
	query.Set("host", host)
	query.Set("port", port)
	u.RawQuery = query.Encode()
	w.url = u.String()
	t.Cleanup(func() { _ = front.Close(); w.become(gone, gone) })
	go func() {
		for {
			client, err := front.Accept()
			if err != nil {
				return
			}
			go w.serve(client)
		}
	}()
	return w
}

// become changes what the listening connection, and all of them, do.
func (w *databaseWay) become(listens, all flow) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listens, w.all = listens, all
	for line := range w.lines {
		if w.of(line) == gone {
			line.close()
		}
	}
	w.changed.Broadcast()
}

// of is called under the lock.
func (w *databaseWay) of(line *databaseLine) flow {
	if line.listens {
		return max(w.listens, w.all)
	}
	return w.all
}

// passes waits while the line is silent, and says whether it still flows.
func (w *databaseWay) passes(line *databaseLine) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.of(line) == silent {
		w.changed.Wait()
	}
	return w.of(line) == flows
}

func (w *databaseWay) serve(client net.Conn) {
	line := &databaseLine{client: client}
	defer client.Close()
	hello, err := startup(client)
	if err != nil {
		return
	}
	line.listens = strings.Contains(string(hello), "openhands-saas listen")
	if !w.passes(line) {
		return
	}
	if line.server, err = net.Dial("unix", w.socket); err != nil {
		return
	}
	defer w.keep(line)()
	go func() {
		_, _ = io.Copy(line.server, io.MultiReader(strings.NewReader(string(hello)), client))
		line.close()
	}()
	buffer := make([]byte, 32<<10)
	for {
		n, err := line.server.Read(buffer)
		if !w.passes(line) {
			return
		}
		if _, failed := client.Write(buffer[:n]); errors.Join(err, failed) != nil {
			return
		}
	}
}

// startup reads the message with which a client begins; it has the name under which operators see the connection.
func startup(client net.Conn) ([]byte, error) {
	length := make([]byte, 4)
	if _, err := io.ReadFull(client, length); err != nil {
		return nil, err
	}
	rest := make([]byte, min(max(binary.BigEndian.Uint32(length), 4), 1<<16)-4)
	_, err := io.ReadFull(client, rest)
	return append(length, rest...), err
}

func (w *databaseWay) keep(line *databaseLine) func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines[line] = struct{}{}
	return func() {
		line.close()
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.lines, line)
	}
}

func (l *databaseLine) close() {
	_ = l.client.Close()
	_ = l.server.Close()
}
