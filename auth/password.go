package auth

import (
	"context"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

const (
	minPassword = 8 // characters
	maxPassword = 1024
)

// checkPassword answers with a code of the contract for a password that must not be the address's: too short or too long, one that
// everybody guesses first, one that holds the local part of the address, one that leaked.
func (s *Service) checkPassword(ctx context.Context, code, password, email string) error {
	reason := passwordReason(password, email)
	if _, common := s.common[foldPassword(password)]; reason == "" && common {
		reason = "This password is among the most common ones. Choose one that nobody guesses."
	}
	if reason == "" && s.breach.knows(ctx, password) {
		reason = "This password is known from a data leak. Choose another, and change it wherever you use it."
	}
	if reason == "" {
		return nil
	}
	return &problem.Error{Status: http.StatusBadRequest, Detail: map[string]string{"code": code, "reason": reason}}
}

// passwordReason is the contract's rule: it says why a password is refused for the address, or nothing.
func passwordReason(password, email string) string {
	length := utf8.RuneCountInString(password)
	switch local := localPart(email); {
	case length < minPassword:
		return "The password must have at least 8 characters."
	case length > maxPassword:
		return "The password must have at most 1,024 characters."
	case utf8.RuneCountInString(local) >= 4 && strings.Contains(strings.ToLower(password), strings.ToLower(local)):
		return "The password must not contain the part of the e-mail address before the @-sign."
	}
	return ""
}
