package config

import (
	"slices"
	"strings"
)

// later is a name of the product that this version cannot honour: any value but an off value is refused, so that nobody
// believes in a protection that is not there.
type later struct {
	name   string
	off    []string
	secret bool
}

func laters() []later {
	return nil
}

// theirs are names that belong to the upstream or to its forks. They are accepted and have no effect, which is said; the
// text says what to use instead.
func theirs() map[string]string {
	return map[string]string{
		"OPENHANDS_CONFIG_CLS":      "it belongs to the upstream; set it there",
		"COOKIE_DOMAIN":             "cookies are bound to the host of PUBLIC_URL",
		"COOKIE_SECURE":             "the scheme of PUBLIC_URL decides",
		"DB_MAX_OVERFLOW":           "DB_POOL_SIZE is the greatest number of connections",
		"DB_POOL_TIMEOUT":           "each query has its own deadline",
		"FRONTEND_URL":              "PUBLIC_URL is the one origin",
		"REMEMBER_ME_LIFETIME":      "SESSION_LIFETIME is the longest life of a session",
		"GITHUB_OAUTH_REDIRECT_URI": "PUBLIC_URL decides: /api/auth/github/callback below it",
		"OPENHANDS_ENCRYPTION_KEY":  "the vault's keys are in VAULT_KEYSET, which has another form",
	}
}

// registry answers what a name is.
type registry struct {
	options map[string]option
	laters  map[string]later
	theirs  map[string]string
}

func newRegistry() registry {
	r := registry{map[string]option{}, map[string]later{}, theirs()}
	for _, o := range options() {
		r.options[o.name] = o
	}
	for _, l := range laters() {
		r.laters[l.name] = l
	}
	return r
}

// fileFor returns the secret's name when name is its NAME_FILE form.
func (r registry) fileFor(name string) (string, bool) {
	base, ok := strings.CutSuffix(name, "_FILE")
	if o, known := r.options[base]; ok && known {
		return base, o.secret()
	}
	return base, ok && r.laters[base].secret
}

func (r registry) later(name string) (later, bool) {
	l, ok := r.laters[name]
	if base, isFile := r.fileFor(name); isFile && !ok {
		l, ok = r.laters[base]
	}
	return l, ok
}

func (r registry) known(name string) bool {
	_, isOption := r.options[name]
	_, isTheirs := r.theirs[name]
	_, isFile := r.fileFor(name)
	_, isLater := r.later(name)
	return isOption || isTheirs || isFile || isLater
}

// nearest returns the known name that was probably meant, or "". What comes later is not suggested.
func (r registry) nearest(name string) string {
	best, least := "", 3
	for _, candidate := range r.candidates() {
		if d := distance(name, candidate); d < least && d*3 <= len(name) {
			best, least = candidate, d
		}
	}
	return best
}

func (r registry) candidates() []string {
	var names []string
	for _, o := range options() {
		names = append(names, o.name)
		if o.secret() {
			names = append(names, o.name+"_FILE")
		}
	}
	return names
}

// distance is the number of letters to add, drop or change (Levenshtein); underscores count as letters.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// ours are prefixes that make a misspelt name of the environment worth a remark.
func ours(name string) bool {
	return slices.ContainsFunc([]string{"DB_", "DATABASE_", "UPSTREAM_", "OPERATOR_LLM_", "JWT_", "SESSION_", "SMTP_", "MAIL_", "OIDC_", "GITHUB_", "PASSWORD_", "SECOND_FACTOR", "RATE_LIMITS", "ANONYMOUS_", "EGRESS_",
		"TRUSTED_", "ADMIN_", "LIMIT_", "FRONTEND_", "STORAGE_", "VAULT_", "FILE_STORE", "PUBLIC_", "CONTENT_", "DATA_DIR", "REGISTRATION", "SERVE_"},
		func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}
