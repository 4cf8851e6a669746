/*
    ITNeo: rows of an Asterisk's cdr table, to which the model's query has joined user and group, and that of an entry perhaps
    the subsidiary. The tables are Fonisk's: see stg_fonisk__tickets.
*/
{{ asterisk_tickets('itneo', joined_user_columns()) }}
