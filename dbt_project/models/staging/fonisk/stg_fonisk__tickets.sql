/*
    Fonisk (Kiplink, Wisp-e): rows of an Asterisk's cdr table, to which the model's query has joined user, group and subsidiary.

    A row without user, or whose user is gone, is read as Asterisk wrote it. The group is the user's, which is charged, and never
    a queue: one column that is now a department and now a queue could not be added up.
*/
{{ asterisk_tickets('fonisk', joined_user_columns()) }}
