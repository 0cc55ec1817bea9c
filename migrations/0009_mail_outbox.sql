-- +migrate Up
-- Mails, written in the transaction of what they tell of. A row is pending until it is sent or given up.
CREATE TABLE mail_outbox (
    id              uuid PRIMARY KEY,
    to_address      text NOT NULL,
    template        text NOT NULL,
    subject         text NOT NULL,
    body            bytea, -- sealed, since it may hold a link that opens an account; null once the mail is sent
    created_at      timestamptz NOT NULL,
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    give_up_at      timestamptz NOT NULL, -- nobody tries after that
    claimed_until   timestamptz, -- a replica may be sending it until then
    last_error      text NOT NULL DEFAULT '',
    sent_at         timestamptz,
    failed_at       timestamptz, -- when it was given up
    CHECK (body IS NOT NULL OR sent_at IS NOT NULL)
);
CREATE INDEX mail_outbox_pending ON mail_outbox (next_attempt_at) WHERE sent_at IS NULL AND failed_at IS NULL;
CREATE INDEX mail_outbox_over ON mail_outbox (created_at);

-- +migrate Down
DROP TABLE mail_outbox;
