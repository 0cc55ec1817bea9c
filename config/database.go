package config

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// parts are the names that together say what DATABASE_URL says alone.
func parts() []string {
	return []string{"DB_HOST", "DB_PORT", "DB_DATABASE", "DB_USERNAME", "DB_PASSWORD"}
}

// deriveDatabase decides between an external and the embedded database, and composes the URL.
func (c *Config) deriveDatabase(problems *Problems) {
	if c.DBConnection == "" && !c.invalid["DB_CONNECTION"] {
		c.DBConnection = DBEmbedded
		if c.given("DATABASE_URL") || c.given("DB_HOST") {
			c.DBConnection = DBExternal
		}
	}
	switch {
	case c.DBConnection == DBEmbedded:
		c.refuseExternal(problems)
	case c.given("DATABASE_URL"):
		c.completeURL(problems)
	case c.DBConnection == DBExternal:
		c.composeURL(problems)
	}
}

func (c *Config) refuseExternal(problems *Problems) {
	for _, name := range append(parts(), "DATABASE_URL", "DB_SSLMODE") {
		if c.given(name) {
			c.fault(problems, name, "has no effect on an embedded database: remove it, or set DB_CONNECTION=pgsql")
		}
	}
	c.DatabaseURL = ""
}

// completeURL checks a given DATABASE_URL and makes its sslmode explicit, because the driver's own default is to change.
func (c *Config) completeURL(problems *Problems) {
	for _, name := range parts() {
		if c.given(name) {
			c.fault(problems, name, "DATABASE_URL says this already: keep one of the two")
		}
	}
	if c.invalid["DATABASE_URL"] {
		return
	}
	u, err := postgresURL(c.DatabaseURL.Reveal())
	if err != nil {
		c.fault(problems, "DATABASE_URL", err.Error())
		return
	}
	query := u.Query()
	if !query.Has("sslmode") {
		query.Set("sslmode", c.DBSSLMode)
	} else if c.given("DB_SSLMODE") {
		c.fault(problems, "DB_SSLMODE", "DATABASE_URL has an sslmode already: keep one of the two")
	} else {
		c.DBSSLMode = query.Get("sslmode")
	}
	u.RawQuery = query.Encode()
	c.DatabaseURL = Secret(u.String())
}

func postgresURL(text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Opaque != "" {
		return nil, errors.New("write postgres://user:password@host:port/name, with special characters of the password percent-encoded")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || u.Fragment != "" || u.Host == "" && query.Get("host") == "" {
		return nil, errors.New("write postgres://user:password@host:port/name: a host is missing, or a special character is not percent-encoded")
	}
	if mode, has := query["sslmode"]; has && !slices.Contains(sslModes(), mode[0]) {
		return nil, errors.New("sslmode must be one of: " + strings.Join(sslModes(), ", "))
	}
	return u, nil
}

func sslModes() []string {
	return []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
}

func (c *Config) composeURL(problems *Problems) {
	if c.DBHost == "" {
		if !c.invalid["DB_HOST"] {
			problems.add("DB_HOST", "", "set it (or DATABASE_URL) to reach the external database, or set DB_CONNECTION=embedded")
		}
		return
	}
	u := url.URL{Scheme: "postgres", User: c.account(), Path: "/" + c.DBDatabase}
	query := url.Values{"sslmode": {c.DBSSLMode}}
	if strings.HasPrefix(c.DBHost, "/") { // the folder of a Unix socket
		query.Set("host", c.DBHost)
		query.Set("port", strconv.Itoa(c.DBPort))
	} else {
		u.Host = net.JoinHostPort(strings.Trim(c.DBHost, "[]"), strconv.Itoa(c.DBPort))
	}
	if strings.ContainsAny(c.DBHost, " ,@?#") || u.Host != "" && strings.Contains(c.DBHost, "/") {
		c.fault(problems, "DB_HOST", "write one host name or address, without port and scheme, or the folder of a socket")
		return
	}
	u.RawQuery = query.Encode()
	c.DatabaseURL, c.origins["DATABASE_URL"] = Secret(u.String()), "composed of DB_*"
}

func (c *Config) account() *url.Userinfo {
	if c.DBPassword == "" {
		return url.User(c.DBUsername)
	}
	return url.UserPassword(c.DBUsername, c.DBPassword.Reveal())
}
