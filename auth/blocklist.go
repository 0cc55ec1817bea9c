package auth

import (
	"strings"
	"unicode/utf8"

	"github.com/trustelem/zxcvbn/frequency"
)

// commonPasswords are the most common ones of leaked lists, as far as they are long enough to be chosen at all; none when the
// blocklist is off.
func commonPasswords(on bool) map[string]struct{} {
	if !on {
		return nil
	}
	common := map[string]struct{}{}
	for _, word := range frequency.FrequencyLists["passwords"] {
		if utf8.RuneCountInString(word) >= minPassword {
			common[foldPassword(word)] = struct{}{}
		}
	}
	return common
}

// foldPassword makes alike what a guesser tries together.
func foldPassword(password string) string { return strings.ToLower(password) }
