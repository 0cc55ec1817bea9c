// Package layers is the ladder of this repository's packages as a table, and
// the check that no import climbs it.
//
// It owns which package stands on which row and which of them may use a
// library that the others must not see. It never reads source code: it judges
// a list of imports that somebody else made, so it can be shown to find fault.
//
// The key idea: a package imports only rows below its own. On its own row it
// may import its parent (auth/oidc may import auth) and nothing else, with the
// few exceptions written down here. A package that is in no row is a fault
// too, so a new one must be given its place.
package layers

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// rows gives each package, and with it all below its path, a row. The longest
// match counts.
func rows() map[string]int {
	return map[string]int{
		"cmd": 7, "e2e": 7, "bench": 7, "internal/layers": 7,

		"internal/app": 6, "internal/doctor": 6,

		"proxy/agentserver": 5, "web": 5, "auth/authhttp": 5, "tenancy/teamhttp": 5,

		"proxy": 4, "tenancy/vault": 4, "tenancy/share": 4,

		"tenancy": 3,

		"auth": 2,

		"access": 1, "internal/audit": 1, "internal/mail": 1, "internal/ratelimit": 1, "internal/smoke": 1,

		"config": 0, "internal/postgres": 0, "internal/embedpg": 0, "internal/egress": 0, "internal/body": 0, "internal/argon": 0,
		"internal/telemetry": 0, "internal/sealed": 0, "internal/blob": 0, "internal/fernet": 0,

		// The floor: what row 0 itself stands on.
		"internal/problem": -1, "internal/cache": -1, "internal/guard": -1, "internal/testtime": -1, "migrations": -1,
	}
}

// exceptions are imports along one row that are wanted.
func exceptions() map[string][]string {
	return map[string][]string{
		"internal/postgres/dbtest":   {"internal/embedpg"},
		"internal/ratelimit":         {"internal/audit"},
		"proxy/agentserver":          {"proxy/agentserver/settings", "proxy/agentserver/schema", "proxy/agentserver/files"},
		"proxy/agentserver/settings": {"proxy/agentserver/schema", "proxy/agentserver/files"},
	}
}

// reserved packages and libraries may be imported only by the packages named
// and those below them. Tests are not held to it.
func reserved() map[string][]string {
	return map[string][]string{
		"config":                   {"cmd", "internal/app"},
		"internal/postgres/dbtest": {},
		"internal/testtime":        {"internal/postgres/dbtest"},

		// echo stays at the edge, so that another router is a small change.
		"github.com/labstack/echo":  {"auth/authhttp", "tenancy/teamhttp", "web", "internal/app"},
		"github.com/spf13/viper":    {"config"},
		"github.com/spf13/cobra":    {"cmd"},
		"github.com/chromedp":       {"e2e"},
		"github.com/coder":          {"e2e", "bench", "internal/smoke", "internal/doctor"},
		"github.com/rubenv":         {"internal/postgres"},
		"github.com/golang-jwt/jwt": {"auth", "proxy"},
		"github.com/tink-crypto":    {"internal/sealed"},
		"github.com/wneessen":       {"internal/mail"},
	}
}

// Package is what is known of a package: paths of our own are relative to the
// module, those of others complete.
type Package struct {
	Path        string
	Imports     []string
	TestImports []string
}

// Faults lists every import that the table forbids, in order.
func Faults(packages []Package) []string {
	var found []string
	for _, p := range packages {
		own, known := rowOf(p.Path)
		if !known {
			found = append(found, p.Path+" stands on no row: give it one in internal/layers")
			continue
		}
		for _, imported := range p.Imports {
			found = append(found, climbs(p.Path, own, imported), trespasses(p.Path, imported))
		}
		for _, imported := range p.TestImports {
			found = append(found, testClimbs(p.Path, own, imported))
		}
	}
	found = slices.DeleteFunc(found, func(fault string) bool { return fault == "" })
	slices.Sort(found)
	return slices.Compact(found)
}

func climbs(path string, own int, imported string) string {
	row, ours := rowOf(imported)
	switch {
	case !ours || row < own || within(path, imported):
	case slices.Contains(exceptions()[path], imported):
	case within(path, "e2e") && within(imported, "e2e"):
	default:
		return fmt.Sprintf("%s (row %d) imports %s (row %d)", path, own, imported, row)
	}
	return outside(path, imported)
}

// outside holds the end-to-end tests to what everybody sees of the product.
func outside(path, imported string) string {
	_, ours := rowOf(imported)
	if within(path, "e2e") && ours && !within(imported, "e2e") {
		return fmt.Sprintf("%s imports %s: it must run the product, not import it", path, imported)
	}
	return ""
}

func trespasses(path, imported string) string {
	for _, name := range slices.Sorted(maps.Keys(reserved())) {
		if !within(imported, name) || within(path, name) {
			continue
		}
		if !slices.ContainsFunc(reserved()[name], func(allowed string) bool { return within(path, allowed) }) {
			return fmt.Sprintf("%s imports %s, which is not for it", path, imported)
		}
	}
	return ""
}

// testClimbs lets tests import along their row, but not above it.
func testClimbs(path string, own int, imported string) string {
	if row, ours := rowOf(imported); ours && row > own {
		return fmt.Sprintf("a test of %s (row %d) imports %s (row %d)", path, own, imported, row)
	}
	return ""
}

// within says whether path is root or below it.
func within(path, root string) bool {
	return path == root || strings.HasPrefix(path, root+"/")
}

func rowOf(path string) (row int, known bool) {
	table := rows()
	matches := slices.DeleteFunc(slices.Collect(maps.Keys(table)), func(root string) bool { return !within(path, root) })
	if len(matches) == 0 {
		return 0, false
	}
	return table[slices.MaxFunc(matches, func(a, b string) int { return cmp.Compare(len(a), len(b)) })], true
}
