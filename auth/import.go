package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"
	"golang.org/x/crypto/bcrypt"

	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Imported is an account that comes from elsewhere, with its password's hash.
type Imported struct {
	Line         int // where it stands, for whoever must correct it
	Email        string
	Name         *string
	PasswordHash string // empty: the person gets a set-up link, or signs in in another way
	IsActive     bool
	IsSuperuser  bool
	IsVerified   bool
	CreatedAt    time.Time // zero: now
}

// ImportFault is what is wrong with one of them.
type ImportFault struct {
	Line   int
	Email  string
	Reason string
}

// importBatch bounds what one statement asks about.
const importBatch = 1000

// CheckImport returns everything that is wrong with the accounts, by line; it changes nothing.
func (s *Service) CheckImport(ctx context.Context, accounts []Imported) ([]ImportFault, error) {
	var faults []ImportFault
	lines := map[string]int{} // by what addresses are compared by
	for _, a := range accounts {
		for _, reason := range append(a.faults(s.cfg.Now()), repeated(lines, a)...) {
			faults = append(faults, ImportFault{a.Line, printable(a.Email), reason})
		}
	}
	for batch := range slices.Chunk(accounts, importBatch) {
		taken, err := s.taken(ctx, batch)
		if err != nil {
			return nil, err
		}
		for _, a := range batch {
			if taken[keyOfImport(a)] {
				faults = append(faults, ImportFault{a.Line, printable(a.Email), "there is an account with this address already"})
			}
		}
	}
	slices.SortStableFunc(faults, func(a, b ImportFault) int { return a.Line - b.Line })
	return faults, nil
}

// keyOfImport is empty for what is no address.
func keyOfImport(a Imported) string {
	email, err := ParseEmail(a.Email)
	if err != nil {
		return ""
	}
	return emailKey(email)
}

// repeated says that an address stands in an earlier line, too.
func repeated(lines map[string]int, a Imported) []string {
	key := keyOfImport(a)
	if first, seen := lines[key]; seen && key != "" {
		return []string{fmt.Sprintf("the same address stands in line %d", first)}
	}
	lines[key] = a.Line
	return nil
}

func (s *Service) taken(ctx context.Context, accounts []Imported) (map[string]bool, error) {
	keys := make([]string, 0, len(accounts))
	for _, a := range accounts {
		if key := keyOfImport(a); key != "" {
			keys = append(keys, key)
		}
	}
	var found []string
	if err := s.db.SelectContext(ctx, &found, `SELECT email_key FROM users WHERE email_key = ANY($1)`, pq.Array(keys)); err != nil {
		return nil, postgres.Problem(fmt.Errorf("look for accounts with imported addresses: %w", err))
	}
	set := map[string]bool{}
	for _, key := range found {
		set[key] = true
	}
	return set, nil
}

func (a Imported) faults(now time.Time) (reasons []string) {
	if _, err := ParseEmail(a.Email); err != nil {
		reasons = append(reasons, err.Error())
	}
	if a.Name != nil {
		for _, f := range NameFaults("name", *a.Name, 0) {
			reasons = append(reasons, f.Msg)
		}
	}
	if err := importable(a.PasswordHash); err != nil {
		reasons = append(reasons, err.Error())
	}
	if a.CreatedAt.After(now.Add(24 * time.Hour)) {
		reasons = append(reasons, "created_at lies in the future")
	}
	return reasons
}

// The cost of a hash that is taken from elsewhere: whoever signs in pays it once, until the hash is made anew.
const (
	maxImportedMemory = 256 << 10 // KiB
	maxImportedPasses = 16
	maxImportedLanes  = 16
	maxImportedCost   = 14 // of bcrypt, in powers of two: about a second
)

// importable says what is wrong with a hash that is brought along. Nothing of it is shown.
func importable(hash string) error {
	switch {
	case hash == "":
		return nil
	case strings.HasPrefix(hash, "$argon2id$"):
		h, err := parsePHC(hash)
		if err != nil {
			return errors.New("password_hash is not a whole argon2id hash ($argon2id$v=19$m=…,t=…,p=…$salt$hash)")
		}
		if p := h.params; p.Memory > maxImportedMemory || p.Passes > maxImportedPasses || p.Lanes > maxImportedLanes {
			return fmt.Errorf("password_hash costs too much: at most m=%d, t=%d, p=%d", maxImportedMemory, maxImportedPasses, maxImportedLanes)
		}
		return nil
	case isBcrypt(hash):
		cost, err := bcrypt.Cost([]byte(hash))
		if err != nil || len(hash) != 60 {
			return errors.New("password_hash is not a whole bcrypt hash")
		}
		if cost > maxImportedCost {
			return fmt.Errorf("password_hash costs too much: at most %d rounds of bcrypt", maxImportedCost)
		}
		return nil
	}
	return errors.New("password_hash is of no kind that is known here: argon2id or bcrypt ($2a$, $2b$, $2y$); leave it empty for none")
}

func isBcrypt(hash string) bool {
	return strings.HasPrefix(hash, "$2a$") || strings.HasPrefix(hash, "$2b$") || strings.HasPrefix(hash, "$2y$")
}

// Import makes the accounts, all or none. What CheckImport finds is found again: nothing is made when there is a fault.
func (s *Service) Import(ctx context.Context, by Actor, accounts []Imported) ([]ImportFault, error) {
	faults, err := s.CheckImport(ctx, accounts)
	if err != nil || len(faults) > 0 {
		return faults, err
	}
	return nil, s.db.InTx(ctx, func(tx *postgres.Tx) error {
		for _, a := range accounts {
			if err := s.importOne(ctx, tx, by, a); err != nil {
				return fmt.Errorf("line %d: %w", a.Line, err)
			}
		}
		return audit.Record(ctx, tx, audit.Entry{
			ActorID: by.ID, Actor: by.Name, Action: "user.import", Object: "installation", Detail: map[string]any{"accounts": len(accounts)},
		})
	})
}

func (s *Service) importOne(ctx context.Context, tx *postgres.Tx, by Actor, a Imported) error {
	email, err := ParseEmail(a.Email)
	if err != nil {
		return err
	}
	u := User{
		ID: uuid.Must(uuid.NewV7()), Email: email, Name: a.Name, CreatedAt: a.CreatedAt,
		IsActive: a.IsActive, IsSuperuser: a.IsSuperuser, IsVerified: a.IsVerified,
	}
	if u.CreatedAt.IsZero() {
		u.CreatedAt = s.cfg.Now()
	}
	// Silent: mails to thousands at a time would be taken for spam, and their links would have run out before most are read.
	return s.store(ctx, tx, u, a.PasswordHash, "", creation{superuser: a.IsSuperuser, silent: true, by: by.ID, actor: by.Name})
}
