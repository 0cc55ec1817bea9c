package postgres

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/lib/pq"
)

// dialTimeout bounds a connection attempt when the caller's string sets no connect_timeout of its own.
const dialTimeout = 5 * time.Second

// dsn is a parsed connection string. It is printed without its password.
type dsn struct {
	raw      string
	cfg      pq.Config
	patience time.Duration // see Config
}

func parse(raw string) (dsn, error) {
	cfg, err := pq.NewConfig(raw)
	if err == nil && shifted(raw, cfg) {
		err = errUnescaped
	}
	if err != nil {
		return dsn{}, fmt.Errorf("the database URL cannot be read: %w; write it as "+
			"postgres://USER:PASSWORD@HOST:5432/NAME?sslmode=require, special characters of the password percent-encoded",
			withoutURL(err))
	}
	cfg.ConnectTimeout = cmp.Or(cfg.ConnectTimeout, dialTimeout)
	cfg.Database = cmp.Or(cfg.Database, cfg.User) // as the server would choose
	return dsn{raw: raw, cfg: cfg}, nil
}

var errUnescaped = errors.New("a character in it is not percent-encoded or quoted, or the port is no number")

// shifted notices a password whose / or : was not encoded, so that the end of it was taken for the host or the database's name:
// those are printed.
func shifted(raw string, cfg pq.Config) bool {
	if u, err := url.Parse(raw); err == nil && u.Scheme != "" && strings.Contains(u.EscapedPath(), "@") {
		return true
	}
	_, err := netip.ParseAddr(cfg.Host)
	return strings.Contains(cfg.Host, ":") && err != nil
}

// withoutURL drops what quotes the text that did not parse: a password is in it.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	for _, quoting := range []string{"invalid port", "invalid userinfo", "invalid URL escape", "invalid character", `missing "="`} {
		if strings.Contains(err.Error(), quoting) {
			return errUnescaped
		}
	}
	return err
}

// named is the configuration under an application name, which operators see in pg_stat_activity. Times come in UTC.
func (d dsn) named(name string) pq.Config {
	c := d.cfg.Clone()
	c.ApplicationName = name
	c.Runtime["timezone"] = "UTC"
	return c
}

// in is the same server and account, another database.
func (d dsn) in(database string) dsn {
	d.cfg = d.cfg.Clone()
	d.cfg.Database = database
	return d
}

// listenString is the connection string under an application name, for the listener, which takes nothing else.
func (d dsn) listenString(name string) string {
	timeout := strconv.Itoa(int(max(time.Second, d.cfg.ConnectTimeout) / time.Second))
	if u, err := url.Parse(d.raw); err == nil && strings.HasPrefix(u.Scheme, "postgres") {
		q := u.Query()
		q.Set("application_name", name)
		q.Set("connect_timeout", timeout)
		u.RawQuery = q.Encode()
		return u.String()
	}
	return d.raw + " application_name='" + name + "' connect_timeout=" + timeout // the last one counts
}

// String says which database is meant, without a secret.
func (d dsn) String() string {
	if strings.HasPrefix(d.cfg.Host, "/") {
		return fmt.Sprintf("%q at the socket in %s", d.cfg.Database, d.cfg.Host)
	}
	return fmt.Sprintf("%q at %s", d.cfg.Database, net.JoinHostPort(d.cfg.Host, strconv.Itoa(int(d.cfg.Port))))
}
