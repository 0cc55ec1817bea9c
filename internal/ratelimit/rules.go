package ratelimit

import "time"

// Rule says how often one account, or one address, may try one thing.
type Rule struct {
	Burst  int           // tries in a row
	Refill time.Duration // until one more is there

	// What follows counts wrong tries. Zero: they are not counted.
	Free    int           // without a pause; then 1, 2, 4, … seconds
	Longest time.Duration // pause
	Forget  time.Duration // until one failure is forgotten; longer than the longest pause where failures ban
	Ban     int           // failures that ban
	BanFor  time.Duration
}

// rules are all limits, on one page. The account is what was typed, whether it exists or not, in all its spellings; the address is
// where the request comes from, of IPv6 its network of 64 bits. An action that is not here is not limited.
//
// Pauses end: somebody who guesses at an account without pause keeps others from signing in to it at an address where its owner
// never did, for fifteen minutes after each guess. At an address where the owner signed in within 30 days, guesses from elsewhere
// do not count.
func rules() map[string]ruleSet {
	return map[string]ruleSet{
		"login": {
			account: Rule{Burst: 10, Refill: 10 * time.Second, Free: 3, Longest: 15 * time.Minute, Forget: 15 * time.Minute},
			address: Rule{Burst: 60, Refill: 5 * time.Second, Free: 10, Longest: 15 * time.Second, Forget: 30 * time.Second, Ban: 20, BanFor: 30 * time.Minute},
			paired:  true,
			banned:  true,
		},
		"second-factor": {
			account: Rule{Burst: 10, Refill: 30 * time.Second, Free: 5, Longest: 15 * time.Minute, Forget: 15 * time.Minute},
			address: Rule{Burst: 60, Refill: 5 * time.Second, Free: 10, Longest: 15 * time.Second, Forget: 30 * time.Second, Ban: 20, BanFor: 30 * time.Minute},
			paired:  true,
			banned:  true,
		},
		"device-code": { // a person types what a device shows
			account: Rule{Burst: 10, Refill: 30 * time.Second, Free: 5, Longest: 15 * time.Minute, Forget: 15 * time.Minute},
			address: Rule{Burst: 30, Refill: 10 * time.Second, Free: 10, Longest: 15 * time.Second, Forget: 30 * time.Second},
		},
		"device-start": { // a device asks for such a code
			address: Rule{Burst: 30, Refill: 10 * time.Second},
		},
		"register": {
			account: Rule{Burst: 5, Refill: 5 * time.Minute},
			address: Rule{Burst: 30, Refill: 2 * time.Minute},
			banned:  true,
		},
		"forgot-password": { // a mail is sent
			account: Rule{Burst: 3, Refill: 5 * time.Minute},
			address: Rule{Burst: 30, Refill: 2 * time.Minute},
			banned:  true,
		},
		"verify": { // a mail is sent to the account, or its link followed
			account: Rule{Burst: 3, Refill: 5 * time.Minute},
			address: Rule{Burst: 30, Refill: 10 * time.Second},
		},
		"change-account": { // a mail is sent to an address that anybody may have named before
			account: Rule{Burst: 5, Refill: 5 * time.Minute},
		},
		"change-factors": { // likewise
			account: Rule{Burst: 20, Refill: 2 * time.Minute},
		},
		"reset-password": {
			address: Rule{Burst: 30, Refill: 10 * time.Second},
		},
		"refresh": {
			address: Rule{Burst: 150, Refill: 2 * time.Second},
		},
	}
}

// ruleSet is the rules of one action.
type ruleSet struct {
	account, address Rule
	paired           bool // the account counts by itself at an address where its owner did it before
	banned           bool // bans count: what else somebody banned does, who holds a session or a mailed link, goes on
}
