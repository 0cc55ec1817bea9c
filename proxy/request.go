package proxy

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// aim points an outgoing request at the upstream.
func (e *Engine) aim(req *http.Request, path, query string) error {
	u, err := e.target(path, query)
	if err != nil {
		return err
	}
	req.URL, req.Host = u, u.Host
	return nil
}

// target is an address at the upstream. path is escaped; it is checked again, because handlers make paths of names that clients
// chose.
func (e *Engine) target(path, query string) (*url.URL, error) {
	if _, ok := checkPath(path); !ok {
		return nil, notCanonical.Because(fmt.Errorf("a handler made the path %q", path))
	}
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return nil, notCanonical
	}
	u := e.upstream.url
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: decoded, RawPath: path, RawQuery: query}, nil
}

// path returns what is asked: the handler's choice, or the client's path with canonical ids.
func (x *Exchange) path(o Outgoing) string {
	if o.Path != "" {
		return o.Path
	}
	return x.canonical
}

// query returns the handler's choice, or the client's query without what is ours. The client's bytes are kept where nothing
// must go.
func (x *Exchange) query(o Outgoing) string {
	if o.Query != nil {
		return o.Query.Encode()
	}
	q := x.Target.query
	if !q.Has("session_api_key") && !q.Has("cid") {
		return x.Target.RawQuery
	}
	kept := make(url.Values, len(q))
	for name, values := range q {
		if name != "session_api_key" && name != "cid" {
			kept[name] = values
		}
	}
	return kept.Encode()
}

// load gives a request the handler's body.
func load(req *http.Request, o Outgoing) {
	if o.Body == nil {
		return
	}
	req.Body = io.NopCloser(bytes.NewReader(o.Body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(o.Body)), nil }
	req.ContentLength = int64(len(o.Body))
	req.TransferEncoding = nil
	req.Header["Content-Type"] = []string{or(o.ContentType, "application/json")}
}
