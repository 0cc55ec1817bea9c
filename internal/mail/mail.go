// Package mail owns what is sent to people: the outbox in the database, the templates, and the way to an SMTP server.
//
// It never decides who is told what. Its key idea: a mail is written in the transaction of what it tells of, so that neither
// happens without the other, and goes out afterwards, as often as it takes. It arrives at least once: where a server took a mail
// and the answer was lost, the mail is sent again, under the same Message-ID.
package mail

import (
	"errors"
	"net/mail"
	"strings"
	"time"
	"unicode"
)

// Message is one mail to one address.
type Message struct {
	To       string            // the address; nothing but one address
	Template string            // the name of a template of this package
	Data     map[string]string // what the template shows; links are complete
	Until    time.Time         // when it is of no use any more, such as when its link has run out; zero: as long as mails are tried
}

// maxAddress is the longest address that SMTP carries, in bytes.
const maxAddress = 320

// ErrAddress is the answer for a recipient that is not exactly one address.
var ErrAddress = errors.New("the recipient must be exactly one e-mail address, such as ada@example.com, without a name around it")

// CheckAddress refuses what is not exactly one bare address: a name, a list, a second line.
func CheckAddress(address string) error {
	if len(address) > maxAddress || strings.ContainsFunc(address, unpresentable) {
		return ErrAddress
	}
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Address != address { // a name, a comment or quotes would not be in the parsed one
		return ErrAddress
	}
	return nil
}

// unpresentable are the characters that end lines, cannot be seen, or make a text read as another: controls, bidi marks, separators.
func unpresentable(c rune) bool {
	return unicode.In(c, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || c == unicode.ReplacementChar
}
