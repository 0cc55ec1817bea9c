package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// admin is the listener for operators: what is true of all tenants together, and nobody else's business. It asks nobody who
// they are, so who reaches it decides; it changes nothing, and shows nothing of any tenant.
type admin struct {
	listener net.Listener
	server   *http.Server
}

// openAdmin takes the address; nil when there is none.
func openAdmin(address string) (*admin, error) {
	if address == "" {
		return nil, nil
	}
	listen := func(address string) (net.Listener, error) { return net.Listen("tcp", address) }
	if strings.HasPrefix(address, "/") {
		listen = listenUnix
	}
	l, err := listen(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s for operators: %w (is another program using it? set ADMIN_LISTEN to a free one)", address, err)
	}
	return &admin{listener: l}, nil
}

// listenUnix makes a socket for our account only. One that a killed process left behind, on which nobody listens, is taken over.
func listenUnix(path string) (net.Listener, error) {
	l, err := net.Listen("unix", path)
	if errors.Is(err, syscall.EADDRINUSE) && abandoned(path) {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
		l, err = net.Listen("unix", path)
	}
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func abandoned(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != os.ModeSocket {
		return false
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = c.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// serve answers until close.
func (d *admin) serve() error {
	if err := d.server.Serve(listener{d.listener}); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve operators: %w", err)
	}
	return nil
}

// close may be called more than once, and on none.
func (d *admin) close() error {
	if d == nil {
		return nil
	}
	var errs []error
	if d.server != nil {
		errs = append(errs, d.server.Close())
	}
	if err := d.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// open says that other machines reach the address.
func (d *admin) open() bool {
	at, overNetwork := d.listener.Addr().(*net.TCPAddr)
	return overNetwork && !at.IP.IsLoopback()
}

func (a *App) adminServer() *http.Server {
	return &http.Server{
		Handler:        a.adminHandler(),
		ReadTimeout:    10 * time.Second,
		WriteTimeout:   30 * time.Second,
		IdleTimeout:    time.Minute,
		MaxHeaderBytes: 16 << 10,
		ConnContext:    remember,
		ConnState:      answered,
		ErrorLog:       slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),

		DisableGeneralOptionsHandler: true,
	}
}

// startAdmin serves operators beside the program, if they are served at all; failed is told when that fails.
func (a *App) startAdmin(failed chan<- error) {
	if a.admin == nil {
		return
	}
	at := a.admin.listener.Addr().String()
	a.log.Info("serving operators", "address", at)
	if a.admin.open() {
		a.log.Warn("ADMIN_LISTEN IS OPEN TO OTHER MACHINES and asks nobody who they are: let only your monitoring reach it, or set it to 127.0.0.1 or to a Unix socket", "address", at)
	}
	a.jobs.Go(func() {
		if err := a.admin.serve(); err != nil {
			failed <- err
		}
	})
}

// adminRoutes are all that operators can ask. Each only reads.
func (a *App) adminRoutes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"/healthz": func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
		},
		"/readyz":   a.adminReadyz,
		"/upstream": func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, a.upstream.state()) },
	}
}

func (a *App) adminHandler() http.Handler {
	routes := a.adminRoutes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answering(r)
		if err := a.adminHost(r); err != nil {
			problem.Write(w, err)
			return
		}
		route, known := routes[r.URL.EscapedPath()]
		switch {
		case !known:
			problem.Write(w, problem.NotFound)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			problem.Write(w, problem.MethodNotAllowed)
		default:
			route(w, r)
		}
	})
}

var strangeAdminHost = problem.New(http.StatusMisdirectedRequest, "This address is for this machine only: ask for it by localhost or by its address, not by another name.")

// adminHost keeps out pages of sites whose name was made to point here (DNS rebinding): they run in browsers on this machine,
// which reach a listener that nobody else does. Where other machines reach it, too, names are not known, and the network decides.
func (a *App) adminHost(r *http.Request) error {
	if _, overNetwork := a.admin.listener.Addr().(*net.TCPAddr); !overNetwork || a.admin.open() {
		return nil
	}
	if a.engine.CheckHost(r) != nil {
		return strangeAdminHost
	}
	return nil
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	text, _ := json.MarshalIndent(body, "", "  ")
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}
