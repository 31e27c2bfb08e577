-- What is known when a ticket is opened, one row per ticket.
SELECT ticket_id, opened_at AS asked_at, channel, message
FROM tickets
