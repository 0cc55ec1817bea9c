package auth

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

const (
	minPassword = 8 // characters
	maxPassword = 4096
)

// passwordReason says why a password is refused for the address, or nothing.
func passwordReason(password, email string) string {
	length := utf8.RuneCountInString(password)
	switch local := localPart(email); {
	case length < minPassword:
		return "The password must have at least 8 characters."
	case length > maxPassword:
		return "The password must have at most 4096 characters."
	case utf8.RuneCountInString(local) >= 4 && strings.Contains(strings.ToLower(password), strings.ToLower(local)):
		return "The password must not contain the part of the e-mail address before the @-sign."
	}
	return ""
}

// checkPassword is passwordReason as the answer with a code of the contract.
func checkPassword(code, password, email string) error {
	reason := passwordReason(password, email)
	if reason == "" {
		return nil
	}
	return &problem.Error{Status: http.StatusBadRequest, Detail: map[string]string{"code": code, "reason": reason}}
}
