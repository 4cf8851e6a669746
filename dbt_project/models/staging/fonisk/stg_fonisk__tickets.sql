/*
    Fonisk (Kiplink, Wisp-e): rows of an Asterisk's cdr table, to which the model's query has joined user, group and subsidiary.

    A row without user, or whose user is gone, is read as Asterisk wrote it. The user's group comes before the queue: it is what
    the call is charged to, and the queue of a row that has both is still the number called.
*/
{{ asterisk_tickets('fonisk', joined_user_columns()) }}
