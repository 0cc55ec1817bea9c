package auth

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/mail"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

const (
	knownFor    = 90 * 24 * time.Hour // how long a device that was not used is still known; no longer than sessions are kept
	noticesADay = 10                  // devices within a day after which the next ones bring no mail: the user was told often enough
)

// place is a device as far as it is told from others: what it says of itself, and roughly where it is.
type place struct {
	Device  string
	Network string
}

// noticeDevice tells the user of a sign-in from a device, or a network, that none of their sessions came from lately. It runs in the
// transaction that opens the session, before the session is there. Nobody is told of their very first sign-in.
func (s *Service) noticeDevice(ctx context.Context, tx *postgres.Tx, n newSession) error {
	if s.cfg.Mail == nil || n.first {
		return nil
	}
	seen, recent, err := placesOf(ctx, tx, n.user, n.now)
	if err != nil {
		return err
	}
	here := placeOf(n.from.UserAgent, n.from.IP)
	if seen[here] || recent >= noticesADay {
		return nil
	}
	a, err := accountByID(ctx, tx, n.user, "")
	if err != nil {
		return err
	}
	err = s.mail(ctx, tx, a.Email, "new-device", map[string]string{
		"device": here.Device, "ip": orUnknown(n.from.IP), "time": n.now.UTC().Format("2 January 2006, 15:04 UTC"),
		"link": s.cfg.PublicURL + "/account/sessions",
	})
	if errors.Is(err, mail.ErrAddress) { // an address that gets no mail keeps nobody from signing in
		s.cfg.Log.WarnContext(ctx, "a user cannot be told of a new device: their address takes no mail", "user", n.user)
		return nil
	}
	return err
}

func orUnknown(ip string) string {
	if ip == "" {
		return "unknown"
	}
	return printable(ip)
}

// placeOf tells networks apart by their first 24 bits, or 48 of IPv6: what a household or an office has.
func placeOf(userAgent, ip string) place {
	p := place{Device: Device(printable(userAgent))}
	address, err := netip.ParseAddr(ip)
	if err != nil {
		return p
	}
	address = address.Unmap().WithZone("")
	bits := 48
	if address.Is4() {
		bits = 24
	}
	if network, err := address.Prefix(bits); err == nil {
		p.Network = network.String()
	}
	return p
}

// isFirst says whether the user never signed in before.
func isFirst(ctx context.Context, tx *postgres.Tx, user uuid.UUID) (first bool, err error) {
	err = tx.GetContext(ctx, &first, `SELECT last_login_at IS NULL FROM users WHERE id = $1`, user)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the last sign-in: %w", err)
	}
	return first, nil
}

// placesOf returns where the sessions of the last time came from, and how many different ones began within a day.
func placesOf(ctx context.Context, tx *postgres.Tx, user uuid.UUID, now time.Time) (seen map[place]bool, recent int, err error) {
	var rows []struct {
		UserAgent string `db:"user_agent"`
		IP        string `db:"ip"`
		Recent    bool   `db:"recent"`
	}
	err = tx.SelectContext(ctx, &rows, `
		SELECT user_agent, ip, min(created_at) > $3 AS recent
		FROM sessions
		WHERE user_id = $1 AND last_seen_at > $2
		GROUP BY user_agent, ip`, user, now.Add(-knownFor), now.Add(-24*time.Hour))
	if err != nil {
		return nil, 0, fmt.Errorf("list the devices of a user: %w", err)
	}
	seen = map[place]bool{}
	for _, r := range rows {
		p := placeOf(r.UserAgent, r.IP)
		if r.Recent && !seen[p] {
			recent++
		}
		seen[p] = true
	}
	return seen, recent, nil
}
