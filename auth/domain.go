package auth

import (
	"net/http"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// ErrEmailDomain answers those who may not have an account by themselves, because of where their address is.
var ErrEmailDomain = problem.New(http.StatusForbidden, "EMAIL_DOMAIN_NOT_ALLOWED")

// domainAllowed says whether somebody with that address may make an account, or move one to it, by themselves. Domains are compared
// as a whole, in the form that name servers know, so that no spelling passes for another; what is no address is for others to refuse.
func (s *Service) domainAllowed(email string) error {
	if len(s.cfg.EmailDomains) == 0 {
		return nil
	}
	address, err := ParseEmail(email)
	if err != nil {
		return nil
	}
	_, own, err := parseDomain(address[len(localPart(address))+1:])
	if err != nil {
		return ErrEmailDomain
	}
	for _, allowed := range s.cfg.EmailDomains {
		if _, ascii, err := parseDomain(allowed); err == nil && ascii == own {
			return nil
		}
	}
	return ErrEmailDomain
}
