package schema

import (
	"context"
	"errors"
	"time"
)

// Still gives a book of the documents as they are now, which asks the upstream for nothing: for use where nobody may be waited
// for.
func (b *Book) Still(ctx context.Context) (*Book, error) {
	still := New(func(context.Context, string) ([]byte, error) { return nil, errors.New("this book does not ask") }, b.log)
	for _, path := range []string{OpenAPI, Agent, Conversation} {
		p, err := b.page(ctx, path)
		if err != nil {
			return nil, err
		}
		p.until = b.now().Add(24 * time.Hour)
		still.kept[path] = p
	}
	return still, nil
}
