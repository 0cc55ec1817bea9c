package ratelimit

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// maxAccount bounds the text that names an account.
const maxAccount = 320

// Fold brings all spellings of an account's address to one: letter case, Unicode forms, blanks around. It folds more than what
// accounts are found by, never less, so that nobody gets more tries at an account by writing it differently.
func Fold(email string) string {
	folded := strings.TrimSpace(norm.NFKC.String(strings.ToLower(norm.NFC.String(email))))
	return strings.ReplaceAll(folded, "\x00", "\ufffd") // which Postgres does not take
}
