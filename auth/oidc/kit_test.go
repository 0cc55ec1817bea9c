package oidc_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/oidc"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const (
	goodPassword = "correct horse"
	publicURL    = "https://openhands.example.com"
)

var secret = []byte("0123456789abcdef0123456789abcdef")

// signingKey is one for all tests: making one takes long.
var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// issuer is a stand-in that also does what no certified issuer does. What real ones do is tried end to end.
type issuer struct {
	*httptest.Server
	mu     sync.Mutex
	codes  map[string]url.Values // what was asked for with the code
	change func(claims jwt.MapClaims)
	sign   func(claims jwt.MapClaims) string
	info   map[string]any
	asked  map[string]int // how often each path was asked
	broken int            // the status of every answer, when it is not 0
	more   map[string]any // in what it says of itself
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{codes: map[string]url.Values{}, asked: map[string]int{}, info: map[string]any{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.describe)
	mux.HandleFunc("GET /keys", i.keys)
	mux.HandleFunc("POST /token", i.token)
	mux.HandleFunc("GET /me", i.me)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		i.asked[r.URL.Path]++
		broken := i.broken
		i.mu.Unlock()
		if broken != 0 {
			w.WriteHeader(broken)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(i.Close)
	return i
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (i *issuer) describe(w http.ResponseWriter, _ *http.Request) {
	said := map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
		"userinfo_endpoint": i.URL + "/me", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for name, value := range i.more {
		said[name] = value
	}
	answer(w, http.StatusOK, said)
}

func (i *issuer) keys(w http.ResponseWriter, _ *http.Request) {
	public := signingKey().PublicKey
	answer(w, http.StatusOK, map[string]any{"keys": []map[string]any{{
		"kty": "RSA", "kid": "one", "use": "sig", "alg": "RS256", "n": base64.RawURLEncoding.EncodeToString(public.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(public.E)).Bytes()),
	}}})
}

// token gives, for a code and its verifier, an ID token with what the test wants in it. A code is good once.
func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	asked, known := i.codes[r.FormValue("code")]
	delete(i.codes, r.FormValue("code"))
	client, password, _ := r.BasicAuth()
	challenge := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if !known || client != "client" || password != "hush" || r.FormValue("redirect_uri") != asked.Get("redirect_uri") ||
		asked.Get("code_challenge_method") != "S256" || base64.RawURLEncoding.EncodeToString(challenge[:]) != asked.Get("code_challenge") {
		answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	claims := jwt.MapClaims{
		"iss": i.URL, "aud": "client", "sub": "ann", "nonce": asked.Get("nonce"), "exp": time.Now().Add(time.Minute).Unix(),
		"iat": time.Now().Unix(), "email": "ann@example.com", "email_verified": true, "name": "Ann",
	}
	if i.change != nil {
		i.change(claims)
	}
	sign := i.sign
	if sign == nil {
		sign = rs256
	}
	answer(w, http.StatusOK, map[string]any{"access_token": "for-userinfo", "token_type": "Bearer", "id_token": sign(claims)})
}

func (i *issuer) me(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer for-userinfo" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	answer(w, http.StatusOK, i.info)
}

func rs256(claims jwt.MapClaims) string { return signed(jwt.SigningMethodRS256, signingKey(), claims) }

func signed(method jwt.SigningMethod, key crypto.PrivateKey, claims jwt.MapClaims) string {
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = "one"
	text, err := token.SignedString(key)
	if err != nil {
		panic(err)
	}
	return text
}

// says sets what the issuer says from now on.
func (i *issuer) says(claims jwt.MapClaims) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.change = func(c jwt.MapClaims) {
		for name, value := range claims {
			if c[name] = value; value == nil {
				delete(c, name)
			}
		}
	}
}

// code is what the issuer sends a browser back with that was sent to it.
func (i *issuer) code(t *testing.T, to string) (code string, query url.Values) {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil || u.Path != "/authorize" {
		t.Fatalf("sent to %s: %v", to, err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	code = rand.Text()
	i.codes[code] = u.Query()
	return code, u.Query()
}

func (i *issuer) asking(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked[path]
}

func (i *issuer) breaks(status int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.broken = status
}

// world is a service with one issuer.
type world struct {
	t      *testing.T
	db     *postgres.DB
	auth   *auth.Service
	oidc   *oidc.Service
	issuer *issuer
	clock  *testtime.Clock
	config oidc.Config
}

// with changes what a world is made with.
type with func(a *auth.Config, o *oidc.Config)

func newWorld(t *testing.T, changes ...with) *world {
	t.Helper()
	w := &world{t: t, db: dbtest.New(t), issuer: newIssuer(t), clock: testtime.NewClock()}
	accounts := auth.Config{
		DB: w.db, JWTSecret: secret, Registration: auth.RegistrationOpen, Hash: auth.HashParams{Memory: 64, Passes: 1, Lanes: 1}, Now: w.clock.Now,
	}
	w.config = oidc.Config{DB: w.db, Secrets: [][]byte{secret}, PublicURL: publicURL, Now: w.clock.Now, Providers: []oidc.Provider{
		{Name: "corp", Title: "Corp", Issuer: w.issuer.URL, ClientID: "client", ClientSecret: "hush"},
	}}
	for _, change := range changes {
		change(&accounts, &w.config)
	}
	w.auth = auth.New(accounts)
	t.Cleanup(w.auth.Close)
	w.config.Auth = w.auth
	w.oidc = oidc.New(w.config)
	return w
}

// provider changes the one that there is.
func provider(change func(p *oidc.Provider)) with {
	return func(_ *auth.Config, o *oidc.Config) { change(&o.Providers[0]) }
}

func accounts(change func(a *auth.Config)) with {
	return func(a *auth.Config, _ *oidc.Config) { change(a) }
}

// begin sends a browser away and returns what it comes back with.
func (w *world) begin() oidc.Answer {
	w.t.Helper()
	begun, err := w.oidc.SignIn(w.t.Context(), "corp", "/back")
	return w.away(begun, err)
}

func (w *world) away(begun oidc.Begun, err error) oidc.Answer {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	code, query := w.issuer.code(w.t, begun.URL)
	return oidc.Answer{Code: code, State: query.Get("state"), Cookie: begun.Cookie.Value}
}

func (w *world) finish(a oidc.Answer) (oidc.Outcome, error) {
	w.t.Helper()
	return w.oidc.Finish(w.t.Context(), "corp", a)
}

// signIn goes there and back.
func (w *world) signIn() (oidc.Outcome, error) { w.t.Helper(); return w.finish(w.begin()) }

// in is signIn that must work, and who that is.
func (w *world) in() auth.Identity {
	w.t.Helper()
	out, err := w.signIn()
	if err != nil {
		w.t.Fatal(err)
	}
	return w.identify(out.Cookie)
}

func (w *world) identify(cookie string) auth.Identity {
	w.t.Helper()
	id, err := w.auth.Authenticate(w.t.Context(), access.Credential{Form: access.FormCookie, Token: cookie})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// register makes an account with a password, and signs in.
func (w *world) register(email string, verified bool) auth.Identity {
	w.t.Helper()
	u, err := w.auth.Register(w.t.Context(), auth.Registration{Email: email, Password: goodPassword})
	if err != nil {
		w.t.Fatal(err)
	}
	w.execute(`UPDATE users SET is_verified = $2 WHERE id = $1`, u.ID, verified)
	cookie, _, err := w.auth.OpenBrowser(w.t.Context(), email, goodPassword, auth.Client{})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.identify(cookie)
}

func (w *world) execute(query string, args ...any) {
	w.t.Helper()
	if _, err := w.db.ExecContext(w.t.Context(), query, args...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) count(query string, args ...any) (n int) {
	w.t.Helper()
	if err := w.db.GetContext(w.t.Context(), &n, query, args...); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) identities(user uuid.UUID) []oidc.Linked {
	w.t.Helper()
	list, err := w.oidc.Identities(w.t.Context(), user)
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// refused checks the status of err, and that its detail begins so.
func refused(t *testing.T, err error, status int, detail string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted; want %d %s", status, detail)
	}
	text, _ := problem.Of(err).Detail.(string)
	if problem.Of(err).Status != status || !strings.HasPrefix(text, detail) {
		t.Fatalf("got %v; want %d %s", err, status, detail)
	}
}
