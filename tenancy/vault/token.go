package vault

import "github.com/google/uuid"

// SealToken seals something small that goes to a client and comes back; it opens for the same user in the same team only.
func (s *Store) SealToken(plain []byte, team, user uuid.UUID) ([]byte, error) {
	return s.keys.Seal(plain, tokenPlace(team, user)...)
}

// OpenToken opens what SealToken sealed for this user in this team.
func (s *Store) OpenToken(sealed []byte, team, user uuid.UUID) ([]byte, error) {
	return s.keys.Open(sealed, tokenPlace(team, user)...)
}

func tokenPlace(team, user uuid.UUID) []string {
	return []string{"vault token", team.String(), user.String()}
}
