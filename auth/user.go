package auth

import (
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// User is an account. Its JSON form is the contract's user object, which has no other key.
type User struct {
	ID          uuid.UUID `json:"id" db:"id"`
	Email       string    `json:"email" db:"email"`
	IsActive    bool      `json:"is_active" db:"is_active"`
	IsSuperuser bool      `json:"is_superuser" db:"is_superuser"`
	IsVerified  bool      `json:"is_verified" db:"is_verified"`
	Name        *string   `json:"name" db:"name"`
	AvatarURL   *string   `json:"avatar_url" db:"avatar_url"`
	CreatedAt   time.Time `json:"-" db:"created_at"`
}

// Registration is what somebody who wants an account gives.
type Registration struct {
	Email    string
	Password string
	Name     *string // of the person
	TeamName *string // of the personal team
	From     Client  // zero for the command line
	Proof    string  // an answer for Hooks.MayRegister, such as of a CAPTCHA
}

// maxName is the longest name of a person or a team, in characters.
const maxName = 255

// Faults returns the field faults of e-mail, name and team name, in the order of the contract.
func (r Registration) Faults() []problem.Field {
	faults := EmailFaults(r.Email)
	if r.Name != nil {
		faults = append(faults, NameFaults("name", *r.Name, 0)...)
	}
	if r.TeamName != nil {
		faults = append(faults, NameFaults("team_name", *r.TeamName, 1)...)
	}
	return faults
}

// EmailFaults says what is wrong with an address that is to be stored.
func EmailFaults(email string) []problem.Field {
	if _, err := ParseEmail(email); err != nil {
		return []problem.Field{body.Refused("email", err.Error(), printable(email))}
	}
	return nil
}

// NameFaults says what is wrong with a name in the field that is so called.
func NameFaults(field, name string, least int) []problem.Field {
	length := utf8.RuneCountInString(name)
	switch {
	case length > maxName:
		return []problem.Field{body.TooLong(field, maxName, printable(name))}
	case length < least:
		return []problem.Field{body.TooShort(field, least, name)}
	case !storable(name) || strings.ContainsFunc(name, unseen):
		return []problem.Field{body.Refused(field, "A name must be one line, without control characters.", printable(name))}
	}
	return nil
}

// unseen are the characters that end a line, or make a text read as another without being seen.
func unseen(c rune) bool {
	bidi := c >= '\u202a' && c <= '\u202e' || c >= '\u2066' && c <= '\u2069'
	return bidi || unicode.In(c, unicode.Cc, unicode.Zl, unicode.Zp)
}

// maxAvatar is the longest address of a picture, in characters.
const maxAvatar = 500

// AvatarFaults says what is wrong with the address of a picture.
func AvatarFaults(text string) []problem.Field {
	if utf8.RuneCountInString(text) > maxAvatar {
		return []problem.Field{body.TooLong("avatar_url", maxAvatar, printable(text))}
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || !storable(text) || strings.ContainsFunc(text, unicode.IsSpace) {
		return []problem.Field{body.Refused("avatar_url", "The address of a picture must begin with https:// and a host.", printable(text))}
	}
	return nil
}

// storable says whether Postgres takes the text.
func storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// printable makes a text that came from a client fit to be stored beside what matters, or echoed: valid, without NUL, bounded.
func printable(text string) string {
	const most = 500
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most])
	}
	return text
}

// ErrRegistrationClosed answers strangers who want an account where registration is not open.
var ErrRegistrationClosed = problem.New(http.StatusForbidden, "REGISTRATION_CLOSED")

// The codes of the contract that routes of this package answer with.
var (
	errBadCredentials = problem.New(http.StatusBadRequest, "LOGIN_BAD_CREDENTIALS")
	errNotVerified    = problem.New(http.StatusBadRequest, "LOGIN_USER_NOT_VERIFIED")
	errUserExists     = problem.New(http.StatusBadRequest, "REGISTER_USER_ALREADY_EXISTS")

	errBadReset        = problem.New(http.StatusBadRequest, "RESET_PASSWORD_BAD_TOKEN")
	errBadVerify       = problem.New(http.StatusBadRequest, "VERIFY_USER_BAD_TOKEN")
	errAlreadyVerified = problem.New(http.StatusBadRequest, "VERIFY_USER_ALREADY_VERIFIED")
	errEmailTaken      = problem.New(http.StatusBadRequest, "UPDATE_USER_EMAIL_ALREADY_EXISTS")
)
