package e2e_test

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// TestNoSpellingOfATargetIsReadInTwoWays sends many spellings of every operation's target to the product and to the upstream's
// own server and routes. What the product passes on must reach, with the same parameters, the operation that the upstream would
// have chosen by itself, and one that the caller may have asked of the upstream by testdata/matrix.txt; all else it must refuse.
// The running upstream is asked, too, whether its routes without handlers speak for it.
func TestNoSpellingOfATargetIsReadInTwoWays(t *testing.T) {
	t.Parallel()
	d := newDifferential(t)
	d.invite(t)
	corpus := sample(d.corpus(t))
	d.knowsEveryOperation(t)
	t.Run("product", func(t *testing.T) {
		t.Parallel()
		d.checkAll(t, corpus)
	})
	t.Run("upstream", func(t *testing.T) {
		t.Parallel()
		compared := 0
		for _, s := range corpus {
			if askable(s) && (s.target == s.origin || sampled(s.shape, 6)) {
				d.compare(t, s)
				compared++
			}
		}
		t.Logf("%d spellings were compared with the running upstream", compared)
	})
}

func (d *differential) checkAll(t *testing.T, corpus []spelling) {
	var work sync.WaitGroup
	next := atomic.Int64{}
	for _, asker := range d.askers {
		work.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(corpus)); i = next.Add(1) - 1 {
				d.check(t, asker, corpus[i])
			}
		})
	}
	work.Wait()
	t.Logf("%d spellings, of which the upstream takes %d for an operation; %d requests, of which the product passed %d on",
		len(corpus), d.taken.Load(), d.asked.Load(), d.passed.Load())
	if d.passed.Load() < 300 || d.taken.Load() < 500 {
		t.Error("too few spellings reach an operation to show anything")
	}
}

// FuzzNoTargetIsReadInTwoWays is the same for targets of chance.
func FuzzNoTargetIsReadInTwoWays(f *testing.F) {
	for _, seed := range []string{
		"/api/conversations/search", "/api/conversations/{id}", "/api/conversations/{ID}/run", "/api/%63onversations/count", "/api//conversations",
		"/api/conversations/{id}/../search", "/api/conversations/{id}/workspace/a%2Fb", "/api/file/download?path=/etc/passwd&path={dir}",
		"/api/conversations/{id};x/events", "/sockets/bash-events", "/sockets/events/{id}", "/api/tools", "/API/tools/", "http://x/api/init",
		"/api/conversations/urn:uuid:{id}", "/api/bash/bash_events/%", "/api/conversations/{id}/file/download?path={dir}/%2e%2e", "*", "?", "",
	} {
		for method := range len(methods) {
			f.Add(uint8(method), seed)
		}
	}
	var once sync.Once
	d := newDifferential(f)
	f.Fuzz(func(t *testing.T, method uint8, target string) {
		once.Do(func() { d.invite(t) })
		if len(target) > 4000 || strings.ContainsAny(target, "\r\n") {
			t.Skip("not one line")
		}
		target = strings.NewReplacer("{id}", d.id, "{ID}", strings.ToUpper(d.id), "{dir}", d.dir).Replace(target)
		d.check(t, d.askers[0], spelling{method: methods[int(method)%len(methods)], target: target, body: "{}"})
	})
}

var methods = []string{"GET", "POST", "PUT", "PATCH", "DELETE", "WS", "HEAD", "OPTIONS", "get", "BREW"}

// differential is one product between callers and a stand-in for the upstream that passes nothing on.
type differential struct {
	router   *router
	upstream *standIn
	server   string // the product's address
	expected map[string]map[string]cell
	askers   []*asker
	id, dir  string // the conversation that targets name, and its folder

	taken, asked, passed atomic.Int64
}

// asker is one worker's set of callers, each with a connection of its own.
type asker struct{ callers []*lineCaller }

// lineCaller is a caller of the matrix who sends raw request lines.
type lineCaller struct {
	column, user string
	header       http.Header
	line         *line
}

// newDifferential starts what answers.
func newDifferential(t testing.TB) *differential {
	t.Helper()
	d := &differential{router: startRouter(t), expected: readMatrix(t)}
	d.upstream = standInFor(t, d.router)
	i, err := launch(t.Context(), environment(dbtest.URL(t), map[string]string{"UPSTREAM_URL": d.upstream.url}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Stop)
	d.server = i.url
	return d
}

// invite makes a conversation and callers.
func (d *differential) invite(t *testing.T) {
	t.Helper()
	server := d.server
	owner := signedUp(t, server)
	team := owner.field(owner.want(http.StatusCreated, owner.post("/api/teams/", map[string]any{"name": "Spellings"})), "id")
	owner = owner.inTeam(team)
	d.id = owner.create("")
	d.dir = owner.workingDir(d.id)
	for range workers {
		viewer, developer, other := signedUp(t, server), signedUp(t, server), signedUp(t, server)
		for role, c := range map[string]*client{"viewer": viewer, "developer": developer} {
			owner.want(http.StatusCreated, owner.post("/api/teams/"+team+"/members", map[string]any{"email": c.email, "role": role}))
		}
		a := &asker{}
		for column, c := range map[string]*client{"viewer": viewer.inTeam(team), "developer": developer.inTeam(team), "other": other} {
			c.want(http.StatusOK, c.get("/api/file/home"))
			h := http.Header{"Authorization": {"Bearer " + c.token}}
			if c.team != "" {
				h.Set("X-Team-Id", c.team)
			}
			a.callers = append(a.callers, &lineCaller{column, c.userID(), h, &line{address: strings.TrimPrefix(server, "http://")}})
		}
		d.askers = append(d.askers, a)
	}
	d.upstream.asks.Store(true)
}

// check sends one spelling in the name of each caller.
func (d *differential) check(t *testing.T, a *asker, s spelling) {
	t.Helper()
	own, err := d.router.ask(s.method, s.target)
	if err != nil {
		t.Errorf("%s %q: the upstream: %v", s.method, s.target, err)
		return
	}
	if s.method == "WS" && own.Operation == "" {
		// The product takes an upgrade on an operation that is none for what it is without.
		if own, err = d.router.ask("GET", s.target); err != nil {
			t.Errorf("GET %q: the upstream: %v", s.target, err)
			return
		}
	}
	if own.Operation != "" {
		d.taken.Add(1)
	}
	for _, c := range a.callers {
		d.upstream.forget(c.user)
		got, err := c.line.ask(s.method, s.target, c.header, s.body)
		if err != nil {
			t.Errorf("%s %q, %s: %v", s.method, s.target, c.column, err)
			continue
		}
		d.asked.Add(1)
		d.judge(t, fmt.Sprintf("%s %q, %s", s.method, s.target, c.column), c.column, own, got)
		for _, passed := range d.upstream.of(c.user) {
			d.passed.Add(1)
			d.judgePassed(t, fmt.Sprintf("%s %q, %s", s.method, s.target, c.column), c.column, own, passed)
		}
	}
}

// knowsEveryOperation shows that the router's words are those of the list, and that it reaches every operation.
func (d *differential) knowsEveryOperation(t *testing.T) {
	t.Helper()
	for operation := range upstreamOperations(t) {
		method, path, _ := strings.Cut(operation, " ")
		if operation == "POST /api/conversations/{conversation_id}/runtime/credentials" || operation == "DELETE /api/conversations/{conversation_id}/runtime" {
			continue // with containers only
		}
		v, err := d.router.ask(method, d.fill(path))
		if err != nil || v.Operation != operation {
			t.Errorf("%s is %v to the upstream: %v", operation, v, err)
		}
	}
}

func (d *differential) fill(text string) string {
	c := caller{about: exhibit{id: d.id, dir: d.dir, file: "sample.txt", event: "00000000-0000-4000-8000-00000000e7e7", sha: "0123456789abcdef"}}
	c.mine, c.theirs = c.about, c.about
	return c.fill(text)
}

// compare asks the running upstream.
func (d *differential) compare(t *testing.T, s spelling) {
	t.Helper()
	said, err := d.router.ask(s.method, s.target)
	if err != nil {
		t.Fatal(err)
	}
	real := &line{address: strings.TrimPrefix(world.upstream.URL(), "http://")}
	defer real.hangUp()
	key := http.Header{"X-Session-Api-Key": {world.upstream.Key()}}
	got, err := real.ask(s.method, s.target, key, "")
	if err != nil {
		t.Fatalf("%s %q: %v", s.method, s.target, err)
	}
	if said.Operation == "" {
		if got.status != said.status {
			t.Errorf("%s %q: the router says %d, the upstream %d", s.method, s.target, said.status, got.status)
		}
		return
	}
	canonical, err := real.ask(s.method, said.canonical(), key, "")
	if err != nil {
		t.Fatal(err)
	}
	if got.status != canonical.status || got.status == http.StatusTemporaryRedirect || (got.status >= 400 && got.status < 500 && got.body != canonical.body) {
		t.Errorf("%s %q: the router says %v, which is %q, but the upstream answers %d %.200s and %d %.200s",
			s.method, s.target, said, said.canonical(), got.status, got.body, canonical.status, canonical.body)
	}
}

// canonical is the plain spelling of a verdict.
func (v verdict) canonical() string {
	_, path, _ := strings.Cut(v.Operation, " ")
	for name, value := range v.Parameters {
		path = strings.ReplaceAll(path, "{"+name+"}", strings.ReplaceAll(url.PathEscape(value), "%2F", "/"))
	}
	query := url.Values{}
	for _, pair := range v.Query {
		query.Add(pair[0], pair[1])
	}
	return path + "?" + query.Encode()
}

// askable says whether a spelling can be sent to the running upstream without harm, and is answered soon and alike.
func askable(s spelling) bool {
	for _, slow := range []string{"marketplace", "archive", "trajectory", "search", "count", "subdirs", "home", "/events/0", "_events/0"} {
		if strings.Contains(s.origin, slow) {
			return false
		}
	}
	return slices.Contains([]string{"GET", "HEAD", "OPTIONS", "BREW"}, s.method)
}

// workers send side by side.
const workers = 3

// sample is what one run can try: every operation as it should be asked, and of its other spellings always the same twelfth.
// SPELLINGS=all tries all, which takes some minutes.
func sample(all []spelling) []spelling {
	if os.Getenv("SPELLINGS") == "all" {
		return all
	}
	return slices.DeleteFunc(all, func(s spelling) bool {
		return s.target != s.origin && !s.always && !sampled(s.method+s.shape, 12)
	})
}

// sampled keeps one of n.
func sampled(text string, n uint32) bool {
	h := fnv.New32a()
	_, _ = h.Write([]byte(text))
	return h.Sum32()%n == 0
}
