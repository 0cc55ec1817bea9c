package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lib/pq"

	"github.com/openhands-saas/openhands-saas/internal/embedpg"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// template is the migrated database that tests are cloned from.
const template = "template_migrated"

// Cluster is a server of one test's own, which it may stop and start: for what happens when the database is away.
type Cluster struct {
	dir    string
	server *embedpg.Server
	admin  *sql.DB
	clones atomic.Int64
	url    string // of the database that belongs to the test of NewCluster
}

// NewCluster starts a server for the test alone, with one migrated database. It is removed when the test ends.
func NewCluster(t testing.TB) *Cluster {
	t.Helper()
	c, err := start()
	if err != nil {
		t.Fatalf("dbtest: start a database server: %v", err)
	}
	t.Cleanup(func() {
		if err := c.remove(); err != nil {
			t.Errorf("dbtest: %v", err)
		}
	})
	c.url = c.server.URL(template)
	return c
}

// URL is the connection string of the cluster's database. It stays the same over Stop and Start.
func (c *Cluster) URL() string { return c.url }

// Stop takes the database away. Its data stay.
func (c *Cluster) Stop() error { return c.server.Stop() }

// Start brings it back.
func (c *Cluster) Start() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	server, err := embedpg.Start(ctx, config(c.dir))
	if err == nil {
		c.server = server
	}
	return err
}

func config(dir string) embedpg.Config {
	return embedpg.Config{DataDir: dir, Settings: map[string]string{
		"shared_buffers":                 "16MB",
		"max_connections":                "300",
		"autovacuum":                     "off", // it would connect to the template in the middle of a clone
		"logging_collector":              "off",
		"wal_level":                      "minimal",
		"max_wal_senders":                "0",
		"max_wal_size":                   "256MB",
		"superuser_reserved_connections": "3",
	}}
}

// start starts a server in a new temporary folder and migrates the template.
func start() (*Cluster, error) {
	dir, err := os.MkdirTemp("", "openhands-saas-test-")
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir}
	if err := errors.Join(os.Chmod(dir, 0o711), c.Start()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := c.prepare(); err != nil {
		return nil, errors.Join(err, c.remove())
	}
	return c, nil
}

func (c *Cluster) prepare() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	connector, err := pq.NewConnector(c.server.URL("postgres"))
	if err != nil {
		return err
	}
	c.admin = sql.OpenDB(connector)
	c.admin.SetMaxOpenConns(4)
	url := c.server.URL(template)
	if err := postgres.EnsureDatabase(ctx, url); err != nil {
		return err
	}
	db, err := postgres.Open(ctx, postgres.Config{URL: url})
	if err != nil {
		return err
	}
	_, err = postgres.Migrate(ctx, db, nil)
	return errors.Join(err, db.Close())
}

// clone makes a database for t. Its name says in pg_stat_activity whose it is.
func (c *Cluster) clone(t testing.TB, from string) string {
	t.Helper()
	name := fmt.Sprintf("t%d_%s", c.clones.Add(1), letters(t.Name()))
	if err := c.exec(`CREATE DATABASE ` + pq.QuoteIdentifier(name) + ` TEMPLATE ` + from); err != nil {
		t.Fatalf("dbtest: clone a database: %v", err)
	}
	t.Cleanup(func() {
		if err := c.exec(`DROP DATABASE ` + pq.QuoteIdentifier(name) + ` WITH (FORCE)`); err != nil {
			t.Errorf("dbtest: drop a database: %v", err)
		}
	})
	return c.server.URL(name)
}

// letters is a short form of a test's name.
func letters(name string) string {
	keep := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}
	s := strings.Map(keep, strings.TrimPrefix(name, "Test"))
	return s[:min(len(s), 40)]
}

func (c *Cluster) exec(query string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := c.admin.ExecContext(ctx, query)
	return err
}

// remove stops the server and forgets its data.
func (c *Cluster) remove() error {
	var err error
	if c.admin != nil {
		err = c.admin.Close()
	}
	return errors.Join(err, c.server.Stop(), os.RemoveAll(c.dir))
}
