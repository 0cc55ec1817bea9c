package agentserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/openhands-saas/openhands-saas/proxy"
)

// The versions of the upstream that matter.
const (
	OldestVersion = "1.28.0" // the oldest that the UI accepts
	TestedVersion = "1.49.1" // the one that the table was made for and every treatment is tested with
)

// Report says how far a running upstream is the one that the table was made for.
type Report struct {
	Version string   `json:"version"`
	Runtime string   `json:"runtime"` // "local", or what runs each conversation apart
	Tested  bool     `json:"tested"`  // exactly TestedVersion
	TooOld  bool     `json:"too_old"` // below OldestVersion
	TooNew  bool     `json:"too_new"` // above TestedVersion
	Unknown []string `json:"unknown"` // operations that it publishes and no row names: denied
	Missing []string `json:"missing"` // rows of operations that it does not publish
}

// Inspect asks the running upstream what it is and what it serves.
func (d *Dialect) Inspect(ctx context.Context) (Report, error) {
	info, err := d.call(ctx, proxy.Outgoing{Path: "/server_info"})
	if err != nil {
		return Report{}, fmt.Errorf("ask the upstream for its version: %w", err)
	}
	openapi, err := d.call(ctx, proxy.Outgoing{Path: "/openapi.json"})
	if err != nil {
		return Report{}, fmt.Errorf("ask the upstream for its operations: %w", err)
	}
	return Examine(info.Body, openapi.Body)
}

// Examine is Inspect on the upstream's answers to /server_info and /openapi.json.
func Examine(serverInfo, openapi []byte) (Report, error) {
	var info struct {
		Version string `json:"version"`
		Runtime string `json:"conversation_runtime"`
	}
	if err := json.Unmarshal(serverInfo, &info); err != nil || info.Version == "" {
		return Report{}, errors.Join(errors.New("the answer to /server_info is not that of an agent-server"), err)
	}
	r := Report{
		Version: info.Version,
		Runtime: info.Runtime,
		Tested:  info.Version == TestedVersion,
		TooOld:  older(info.Version, OldestVersion),
		TooNew:  older(TestedVersion, info.Version),
	}
	var err error
	r.Unknown, r.Missing, err = Compare(openapi)
	return r, err
}

// Remarks are what an operator should know of the report, a sentence each; none when all is as tested.
func (r Report) Remarks() []string {
	var remarks []string
	add := func(format string, args ...any) { remarks = append(remarks, fmt.Sprintf(format, args...)) }
	switch {
	case r.TooOld:
		add("The agent-server %s is older than %s, the oldest that the UI accepts: upgrade it, best to %s.", r.Version, OldestVersion, TestedVersion)
	case r.TooNew:
		add("The agent-server %s is newer than %s, the newest that was tested: what it added is denied. Look for a newer openhands-saas.", r.Version, TestedVersion)
	case !r.Tested:
		add("The agent-server %s was not tested; %s was: upgrade it.", r.Version, TestedVersion)
	}
	if len(r.Unknown) > 0 {
		add("The upstream has operations that no row of the table names; they are denied: %s.", strings.Join(r.Unknown, ", "))
	}
	if len(r.Missing) > 0 && !r.apart() {
		add("The upstream lacks operations that the table names; who asks for them gets its 404: %s.", strings.Join(r.Missing, ", "))
	}
	return remarks
}

// apart says whether conversations have servers of their own: the upstream publishes one pattern then for what those serve.
func (r Report) apart() bool { return r.Runtime != "" && r.Runtime != "local" }

// older compares versions by their first three numbers. What cannot be read as a version is older than nothing.
func older(a, b string) bool {
	left, right := numbers(a), numbers(b)
	return left != [3]int{} && slices.Compare(left[:], right[:]) < 0
}

var release = regexp.MustCompile(`^(\d+)\.(\d+)(?:\.(\d+))?`)

func numbers(version string) (all [3]int) {
	for i, digits := range release.FindStringSubmatch(version) {
		if i > 0 {
			all[i-1], _ = strconv.Atoi(digits) // the third may be absent, which counts as 0
		}
	}
	return all
}
