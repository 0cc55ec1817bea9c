package app

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

// comparePause is the longest time between two comparisons of an upstream's operations with the table: it may have been
// replaced, between two looks at it, by one of the same version that was configured in another way.
const comparePause = 10 * time.Minute

// upstreamState is what operators are told of the upstream.
type upstreamState struct {
	Answers bool       `json:"answers"`
	Since   *time.Time `json:"since"`           // it answers, or does not; null: not looked at yet
	Error   string     `json:"error,omitempty"` // why it does not
	Version string     `json:"version"`         // as it said when it last answered

	OldestVersion string `json:"oldest_version"`
	TestedVersion string `json:"tested_version"`

	Comparison      *comparison `json:"comparison"`                 // of its operations with the table; null: none yet
	ComparisonError string      `json:"comparison_error,omitempty"` // why there is no newer one
}

// comparison is the agent-server's report, and when it was made.
type comparison struct {
	At time.Time `json:"at"`
	agentserver.Report
	Remarks []string `json:"remarks"` // the same for people; empty when all is as tested
}

// upstreamWatch keeps what is known of the upstream. One goroutine looks, others read.
type upstreamWatch struct {
	now func() time.Time

	mu   sync.Mutex
	seen upstreamState
	due  bool // since it came back, or changed its version, it was not compared
}

func newUpstreamWatch() *upstreamWatch {
	return &upstreamWatch{now: time.Now, seen: upstreamState{OldestVersion: agentserver.OldestVersion, TestedVersion: agentserver.TestedVersion}}
}

func (u *upstreamWatch) state() upstreamState {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.seen
}

// looked notes an answer, or that none came, and says whether that is a change.
func (u *upstreamWatch) looked(version string, err error) (changed bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	answers := err == nil
	changed = u.seen.Since == nil || u.seen.Answers != answers || answers && u.seen.Version != version
	if changed {
		now := u.now()
		u.seen.Answers, u.seen.Since, u.due = answers, &now, true
	}
	if u.seen.Error = ""; err != nil {
		u.seen.Error = err.Error()
		return changed
	}
	u.seen.Version = version
	return changed
}

// toCompare says whether it is time to compare.
func (u *upstreamWatch) toCompare() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.seen.Answers && (u.due || u.seen.Comparison == nil || u.now().Sub(u.seen.Comparison.At) >= comparePause)
}

// compared notes a report and returns what is new of its remarks.
func (u *upstreamWatch) compared(report agentserver.Report) (news []string) {
	report.Unknown, report.Missing = listed(report.Unknown), listed(report.Missing)
	remarks := listed(report.Remarks())
	u.mu.Lock()
	defer u.mu.Unlock()
	if before := u.seen.Comparison; before == nil || !slices.Equal(before.Remarks, remarks) {
		news = remarks
	}
	u.seen.Comparison, u.seen.ComparisonError, u.due = &comparison{At: u.now(), Report: report, Remarks: remarks}, "", false
	return news
}

// listed makes an empty list of none: that is what it is for those who read JSON.
func listed(lines []string) []string { return append([]string{}, lines...) }

// failed notes why there is no comparison, and says whether that is new.
func (u *upstreamWatch) failed(err error) (news bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	news = u.seen.ComparisonError != err.Error()
	u.seen.ComparisonError = err.Error()
	return news
}

// watchUpstream looks at the upstream until ctx ends.
func (a *App) watchUpstream(ctx context.Context) { every(ctx, upstreamPause, a.lookAtUpstream) }

// lookAtUpstream logs which upstream answers, and each change of that, and compares it with the table when it is time.
func (a *App) lookAtUpstream(ctx context.Context) {
	version, err := a.upstreamVersion(ctx)
	if ctx.Err() != nil {
		return
	}
	switch changed := a.upstream.looked(version, err); {
	case changed && err != nil:
		a.log.Warn("the upstream does not answer; pages and accounts work, conversations do not", "upstream", a.cfg.UpstreamURL, "error", err)
	case changed:
		a.log.Info("the upstream answers", "upstream", a.cfg.UpstreamURL, "version", version)
	}
	if a.upstream.toCompare() {
		a.compareUpstream(ctx)
	}
}

// compareUpstream says how the upstream differs from the one that the table was made for. What no row names is denied either
// way. A comparison that fails is tried again at the next look.
func (a *App) compareUpstream(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	report, err := a.dialect.Inspect(ctx)
	if err != nil {
		if a.upstream.failed(err) {
			a.log.Warn("the upstream's operations could not be compared with the table; what no row names is denied all the same", "error", err)
		}
		return
	}
	for _, remark := range a.upstream.compared(report) {
		a.log.Warn(remark)
	}
}

func (a *App) upstreamVersion(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return a.dialect.Learn(ctx)
}
