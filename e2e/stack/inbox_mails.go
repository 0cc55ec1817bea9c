package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"
)

// Mail is one that came.
type Mail struct {
	ID        string
	MessageID string
	To        []struct{ Address string }
	Subject   string
	Text      string // only when it was read by Mails
	HTML      string // likewise
	Created   time.Time
}

var mailLink = regexp.MustCompile(`https?://\S+/account/\S+`)

// Link is the first address in the text that leads to a page of an account.
func (m Mail) Link() string { return mailLink.FindString(m.Text) }

// Mails are all that came for an address, the oldest first.
func (i *Inbox) Mails(ctx context.Context, to string) ([]Mail, error) {
	var found struct{ Messages []Mail }
	query := url.Values{"query": {`to:"` + to + `"`}, "limit": {"1000"}}
	if err := i.get(ctx, "/api/v1/search?"+query.Encode(), &found); err != nil {
		return nil, err
	}
	slices.Reverse(found.Messages)
	for n := range found.Messages {
		if err := i.get(ctx, "/api/v1/message/"+found.Messages[n].ID, &found.Messages[n]); err != nil {
			return nil, err
		}
	}
	return found.Messages, nil
}

// Refuse has the server answer to each recipient with the code, such as 550; 0 takes them again.
func (i *Inbox) Refuse(ctx context.Context, code int) error {
	probability := 100
	if code == 0 {
		code, probability = 451, 0
	}
	body, err := json.Marshal(map[string]any{"Recipient": map[string]int{"ErrorCode": code, "Probability": probability}})
	if err != nil {
		return err
	}
	return i.ask(ctx, http.MethodPut, "/api/v1/chaos", body, nil)
}

func (i *Inbox) get(ctx context.Context, path string, into any) error {
	return i.ask(ctx, http.MethodGet, path, nil, into)
}

func (i *Inbox) ask(ctx context.Context, method, path string, body []byte, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, i.apiURL()+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 10<<20))
	if err != nil {
		return fmt.Errorf("read what the inbox answers to %s: %w", path, err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the inbox answers %s to %s: %.200s", response.Status, path, answer)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}
