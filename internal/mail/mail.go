// Package mail owns what is sent to people: the outbox in the database, the templates, and the way to an SMTP server.
//
// It never decides who is told what. Its key idea: a mail is written in the transaction of what it tells of, so that neither
// happens without the other, and goes out afterwards, as often as it takes.
package mail

// Message is one mail to one address.
type Message struct {
	To       string            // the address; nothing but one address
	Template string            // the name of a template of this package
	Data     map[string]string // what the template shows; links are complete
}
