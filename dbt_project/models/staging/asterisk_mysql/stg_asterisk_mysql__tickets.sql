/*
    Asterisk with its cdr table in MySQL or MariaDB, whatever the layout: asterisk_rows() reads the columns, asterisk_legs() says
    what they mean.
*/
{{ asterisk_tickets('asterisk_mysql') }}
