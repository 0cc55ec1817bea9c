package stack

import (
	"bytes"
	"encoding/json"
	"errors"
	"html/template"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
)

// page lists what came, for people. Mailpit's module holds no built pages, but it shows single mails: the rest is left to it.
type page struct {
	url    string
	server *http.Server
}

var listing = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>Mails</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}td,th{text-align:left;padding:.3rem 1rem .3rem 0}</style></head>
<body><h1>Mails</h1>{{if .}}<table><thead><tr><th>Came</th><th>To</th><th>Subject</th><th></th></tr></thead><tbody>
{{range .}}<tr><td>{{.Created.Local.Format "15:04:05"}}</td><td>{{range .To}}{{.Address}} {{end}}</td><td><a href="/view/{{.ID}}.html">{{.Subject}}</a></td><td><a href="/view/{{.ID}}.txt">text</a></td></tr>
{{end}}</tbody></table>{{else}}<p>None came yet.</p>{{end}}</body></html>
`))

// openPage serves the page on the port, or another one when that is taken.
func openPage(port int, api string) (*page, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, err
		}
	}
	to, err := url.Parse(api)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { list(w, r, api) })
	mux.Handle("GET /view/", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }})
	p := &page{url: "http://" + listener.Addr().String(), server: &http.Server{Handler: mux}}
	go func() { _ = p.server.Serve(listener) }()
	return p, nil
}

func (p *page) close() { _ = p.server.Close() }

// list shows the newest mails.
func list(w http.ResponseWriter, r *http.Request, api string) {
	request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, api+"/api/v1/messages?limit=100", nil)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		http.Error(w, "the inbox does not answer: "+err.Error(), http.StatusBadGateway)
		return
	}
	defer func() { _ = response.Body.Close() }()
	var found struct{ Messages []Mail }
	var body bytes.Buffer
	if err := errors.Join(json.NewDecoder(response.Body).Decode(&found), listing.Execute(&body, found.Messages)); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(body.Bytes())
}
