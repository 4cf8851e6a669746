/*
    TelNowEdge: rows of FreePBX's cdr table as they stand. How its table of users is built is not public: where the query of an
    entry joins one, it gives the names that Fonisk's gives, and the group is that of the user there too.
*/
{{ asterisk_tickets('telnowedge', joined_user_columns()) }}
