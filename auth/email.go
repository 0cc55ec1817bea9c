package auth

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// ParseEmail returns an address in the form it is stored in: blanks around it cut, the local part as typed (in Unicode's normal
// form), the domain lower-cased and in Unicode. The error says what is wrong, in a sentence that people may read.
//
// The rules are those of Python's email-validator, as the contract describes them. It is stricter in one point: a display name
// around the address is refused.
func ParseEmail(text string) (string, error) {
	if strings.ContainsAny(text, "\r\n") {
		return "", errors.New("An email address must be one line.")
	}
	text = strings.TrimSpace(text)
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return "", errors.New("An email address must have an @-sign.")
	}
	local := norm.NFC.String(text[:at])
	if err := checkLocal(local); err != nil {
		return "", err
	}
	domain, ascii, err := parseDomain(text[at+1:])
	if err != nil {
		return "", err
	}
	if max(len(text), len(local)+1+len(ascii), len(local)+1+len(domain)) > 254 {
		return "", errors.New("The email address is too long.")
	}
	return local + "@" + domain, nil
}

// emailKey is what addresses are compared by.
func emailKey(email string) string { return strings.ToLower(norm.NFC.String(email)) }

// localPart is what stands before the last @.
func localPart(email string) string { return email[:max(0, strings.LastIndexByte(email, '@'))] }

// checkLocal accepts atoms of RFC 6531 that are joined by single dots. There are no quotes and no limit below that of the whole.
func checkLocal(local string) error {
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" {
			return errors.New("The part before the @-sign must not be empty, nor have a period first, last or twice in a row.")
		}
	}
	if strings.ContainsFunc(local, func(c rune) bool { return c < utf8.RuneSelf && !isAtom(c) }) || !isSafe(local) {
		return errors.New("The email address contains invalid characters before the @-sign.")
	}
	return nil
}

func isAtom(c rune) bool { return isAlphanumeric(c) || strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", c) }

func isAlphanumeric(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// isSafe refuses what would make an address read as another: controls, bidi marks, blanks, a combining mark in front.
func isSafe(text string) bool {
	for i, c := range text {
		visible := unicode.In(c, unicode.L, unicode.N, unicode.P, unicode.S)
		combining := i > 0 && unicode.Is(unicode.M, c)
		if !visible && !combining || c == utf8.RuneError {
			return false
		}
	}
	return true
}

var errDomain = errors.New("The part after the @-sign is not a domain name that can receive mail.")

// parseDomain returns the domain in Unicode and in ASCII.
func parseDomain(text string) (domain, ascii string, err error) {
	if len(text) > 4*253 || !isSafe(text) || strings.ContainsFunc(text, isNoHostname) {
		return "", "", errDomain
	}
	profile := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(true))
	if ascii, err = profile.ToASCII(text); err != nil || !isHost(ascii) || isReserved(ascii) {
		return "", "", errDomain
	}
	if domain, err = profile.ToUnicode(ascii); err != nil || strings.ContainsFunc(domain, isNoLabelChar) {
		return "", "", errDomain
	}
	return domain, ascii, nil
}

// isNoLabelChar refuses the symbols that the mapping lets pass and IDNA 2008 does not, such as emoji.
func isNoLabelChar(c rune) bool {
	return !unicode.In(c, unicode.L, unicode.M, unicode.Nd) && !strings.ContainsRune("-.·・", c)
}

func isNoHostname(c rune) bool {
	return c < utf8.RuneSelf && !isAlphanumeric(c) && c != '-' && c != '.'
}

// isHost checks the labels, demands a dot, and a top level that ends in a letter.
func isHost(ascii string) bool {
	if len(ascii) > 253 || !strings.Contains(ascii, ".") {
		return false
	}
	for label := range strings.SplitSeq(ascii, ".") {
		if !isLabel(label) {
			return false
		}
	}
	last := ascii[len(ascii)-1]
	return last >= 'a' && last <= 'z'
}

func isLabel(label string) bool {
	if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	foreign := len(label) > 3 && label[2:4] == "--" // reserved, except for punycode
	return !foreign || strings.HasPrefix(label, "xn--")
}

// isReserved knows the top levels that never receive mail.
func isReserved(ascii string) bool {
	switch ascii[strings.LastIndexByte(ascii, '.')+1:] {
	case "arpa", "invalid", "local", "localhost", "onion", "test":
		return true
	}
	return false
}
