package mail

import "crypto/x509"

// Render is render.
func Render(m Message, site string) (Content, error) { return render(m, site) }

// Trust makes a sender trust these certificates and no others.
func (s *Sender) Trust(roots *x509.CertPool) { s.roots = roots }
