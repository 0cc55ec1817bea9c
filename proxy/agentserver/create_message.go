package agentserver

import (
	"context"
	"strings"
)

// maxRemoteImages bounds the addresses of images in one body, each of which is looked up.
const maxRemoteImages = 20

// remoteImage is the address of an image and its place in the body.
type remoteImage struct {
	loc     []any
	address string
}

// message is the user's first word. Other roles would leave a broken conversation behind.
func message(s *sanitizer, loc []any, v any) (any, bool) {
	return object(messageRules())(s, loc, v)
}

func messageRules() rules {
	return rules{"role": word("user"), "content": list(1000, content), "run": flag}
}

// content is one part of a message: text, or images.
func content(s *sanitizer, loc []any, v any) (any, bool) {
	return object(rules{
		"type":         word("text", "image"),
		"text":         text(5_000_000),
		"image_urls":   list(100, imageURL),
		"cache_prompt": flag,
	})(s, loc, v)
}

// imageURL notes addresses for checkImages: for many a model the server fetches the image itself.
func imageURL(s *sanitizer, loc []any, v any) (any, bool) {
	u, isString := v.(string)
	lower := strings.ToLower(u)
	switch {
	case isString && strings.HasPrefix(lower, "data:"):
		return u, true
	case !isString || !strings.HasPrefix(lower, "https://") && !strings.HasPrefix(lower, "http://"):
		s.refuse(loc, "Input should be a data:, https: or http: address")
	case len(s.remote) == maxRemoteImages:
		s.refuse(loc, "A message has at most %d addresses of images. Send the images themselves (data:).", maxRemoteImages)
	default:
		s.remote = append(s.remote, remoteImage{loc, u})
		return u, true
	}
	return nil, false
}

// checkImages lets images come from public addresses and those the operator allows.
func (d *Dialect) checkImages(ctx context.Context, images []remoteImage) error {
	for _, image := range images {
		if err := d.config.Egress.Check(ctx, image.address); err != nil {
			return placed(err, image.loc)
		}
	}
	return nil
}
