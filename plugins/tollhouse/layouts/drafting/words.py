"""What the names and codes of feeds mean, in English, French, German, Spanish and Italian.

Names are compared without accents, case and signs: ``CallDate``, ``call_date`` and ``call date``
are one. To teach a draft a word, add it here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

#: What a field is for, and the names that say so. A role is a column of the contract, or a part of
#: one: ``date`` and ``clock`` make an instant, ``instant`` and ``duration`` leave open of what.
ROLES: Mapping[str, tuple[str, ...]] = {
    "started_at": (
        "start", "start time", "start date", "start datetime", "started", "started at", "begin",
        "begin time", "call date", "calldate", "call start", "call time", "call start time",
        "call datetime", "setup time", "setup", "invite time", "date time origination", "seizure",
        "time start", "debut", "date debut", "heure debut", "date heure debut", "debut appel",
        "date appel", "beginn", "startzeit", "anrufbeginn", "gesprachsbeginn", "anfang", "inicio",
        "fecha inicio", "hora inicio", "fecha llamada", "inizio", "data inizio",
    ),
    "answered_at": (
        "answer", "answer time", "answered at", "answer date", "connect", "connect time",
        "connected at", "time answered", "date time connect", "pickup", "pickup time", "reponse",
        "decroche", "heure reponse", "angenommen", "verbunden", "verbindungsbeginn", "contestada",
        "respuesta", "hora respuesta", "risposta",
    ),
    "ended_at": (
        "end", "end time", "ended", "ended at", "end date", "stop", "stop time", "hangup",
        "hangup time", "disconnect", "disconnect time", "date time disconnect", "release",
        "release time", "time end", "call end", "fin", "date fin", "heure fin", "raccroche", "ende",
        "endzeit", "gesprachsende", "fecha fin", "hora fin", "fine", "data fine",
    ),
    "instant": (
        "datetime", "date time", "timestamp", "time stamp", "date and time", "date heure",
        "date et heure", "horodatage", "zeitpunkt", "zeitstempel", "datum zeit", "datum uhrzeit",
        "fecha hora", "fecha y hora", "data ora", "event time", "eventtime", "when",
    ),
    "date": ("date", "day", "jour", "datum", "tag", "fecha", "dia", "data", "giorno"),
    "clock": ("time", "hour", "heure", "uhrzeit", "zeit", "hora", "ora", "time of day"),
    "talk_seconds": (
        "talk", "talk time", "talk seconds", "talktime", "billsec", "bill sec", "billed seconds",
        "billable seconds", "billed duration", "billable duration", "conversation",
        "conversation time", "connected duration", "connected time", "connected seconds",
        "duree conversation", "temps de conversation", "duree facturee", "gesprachsdauer",
        "verbindungsdauer", "duracion conversacion", "tiempo hablado", "chargeable duration",
    ),
    "duration": (
        "duration", "call duration", "dur", "length", "seconds", "sec", "secs", "duree",
        "duree appel", "secondes", "dauer", "anrufdauer", "sekunden", "duracion",
        "duracion llamada", "segundos", "durata", "duration seconds", "duration sec", "minutes",
        "minuten", "minutos", "duration min", "duree min", "duration ms", "milliseconds",
    ),
    "ring_seconds": (
        "ring", "ringing", "ring time", "ring seconds", "ring duration", "ringtime", "wait",
        "wait time", "sonnerie", "duree sonnerie", "attente", "klingeldauer", "rufdauer",
        "wartezeit", "timbre", "tiempo timbre", "espera", "pdd", "time to answer",
    ),
    "direction": (
        "direction", "dir", "call direction", "type", "call type", "calltype", "io", "in out",
        "inout", "way", "sens", "sens appel", "type appel", "type d appel", "richtung", "art",
        "anrufart", "rufart", "direccion", "sentido", "tipo", "tipo llamada", "direzione",
        "traffic type",
    ),
    "outcome": (
        "outcome", "status", "call status", "disposition", "result", "call result", "state",
        "etat", "statut", "resultat", "ergebnis", "anrufstatus", "estado", "resultado", "esito",
        "termination reason", "reason terminated", "hangup cause", "release cause",
    ),
    "caller_number": (
        "caller", "a", "caller number", "caller id", "callerid", "calling", "calling number",
        "calling party", "calling party number", "from", "from number", "src", "source",
        "source number", "a number", "anumber", "a party", "number a", "cli", "clid", "ani", "orig",
        "origin", "originating number", "originator", "from no", "numero a", "calling no",
        "appelant", "numero appelant", "no appelant", "n appelant", "emetteur", "anrufer",
        "anrufernummer", "rufnummer anrufer", "a rufnummer", "quelle", "origen", "numero origen",
        "llamante", "numero llamante", "chiamante",
    ),
    "called_number": (
        "called", "called number", "called party", "called party number", "callee", "to",
        "to number", "dst", "b", "destination", "destination number", "b number", "bnumber",
        "b party", "number b", "dialled", "dialed", "dialled number", "dialed number",
        "dialled digits",
        "dialed digits", "dial number", "dnis", "to no", "dial no", "number", "number dialled",
        "phone number", "final called party number", "numero b", "called no",
        "appele", "numero appele", "no appele", "n appele", "numero compose", "numero",
        "destinataire", "gewahlte nummer", "gewahlte rufnummer", "zielrufnummer", "zielnummer",
        "ziel", "rufnummer", "b rufnummer", "gerufene nummer", "angerufener", "destino",
        "numero destino", "numero marcado", "marcado", "llamado", "numero llamado", "chiamato",
        "numero chiamato",
    ),
    "presented_number": (
        "presented number", "presentation number", "display number", "numero presente",
        "outbound cli", "outbound cnum", "angezeigte nummer",
    ),
    "extension": (
        "extension", "ext", "ext no", "extension number", "station", "internal number", "poste",
        "numero poste", "no poste", "nebenstelle", "durchwahl", "anschluss", "teilnehmer",
        "extension interna", "interno", "anexo", "user extension", "charged user",
    ),
    "extension_name": (
        "extension name", "user", "user name", "username", "name", "caller name", "nom",
        "nom utilisateur", "utilisateur", "benutzer", "benutzername", "teilnehmername", "nombre",
        "usuario", "cnam", "nome", "utente",
    ),
    "group_name": (
        "group", "group name", "department", "groupe", "departement", "service", "abteilung",
        "gruppe", "grupo", "departamento", "gruppo",
    ),
    "subsidiary_name": ("subsidiary", "company", "filiale", "societe", "firma", "empresa"),
    "trunk_in": ("trunk in", "incoming trunk", "ingress trunk", "in trunk", "faisceau entrant"),
    "trunk_out": (
        "trunk out", "outgoing trunk", "egress trunk", "out trunk", "trunk", "trunk name", "line",
        "co", "co line", "route", "ligne", "faisceau", "leitung", "amtsleitung", "bundel",
        "linea", "troncal", "carrier",
    ),
    "account_code": (
        "account code", "accountcode", "account", "account number", "acc code", "acct code",
        "account id", "customer", "customer id", "customer number", "client", "no client",
        "numero client", "code client", "compte", "numero compte", "code affaire", "affaire",
        "contrat", "contract", "kunde", "kundennummer", "konto", "kostenstelle", "projekt",
        "cuenta", "codigo cuenta", "cliente", "numero cliente", "conto", "project",
    ),
    "authorization_code": (
        "authorization code", "authorisation code", "auth code", "pin", "pin code",
        "code autorisation", "berechtigungscode", "codigo autorizacion",
    ),
    "pulses": (
        "pulses", "meter pulses", "metering", "units", "charge units", "taxes", "unites",
        "impulsions", "unites telecom", "einheiten", "gebuhreneinheiten", "takte", "pulsos",
        "impulsos", "unidades", "scatti",
    ),
    "pbx_charge_amount": (
        "cost", "call cost", "price", "call price", "amount", "charge", "call charge", "net",
        "net price", "net amount", "cout", "cout appel", "prix", "prix ht", "montant", "montant ht",
        "tarif", "kosten", "preis", "betrag", "gebuhr", "gebuhren", "entgelt", "nettobetrag",
        "coste", "costo", "precio", "importe", "importo", "prezzo", "retail price", "cost ht",
        "cout ht", "total price", "total", "total cost",
    ),
    "pbx_charge_currency": (
        "currency", "currency code", "cur", "devise", "monnaie", "wahrung", "moneda", "divisa",
        "valuta",
    ),
    "source_call_id": (
        "call id", "callid", "id", "unique id", "uniqueid", "cdr id", "record id", "reference",
        "call reference", "ref", "ticket", "ticket id", "uuid", "call uuid", "guid", "pkid",
        "linkedid", "identifiant", "id appel", "reference appel", "referenz", "anruf id",
        "kennung", "id llamada", "referencia", "call ref", "session id", "history id", "historyid",
    ),
    "leg_number": ("leg", "leg number", "leg id", "sequence", "sequence number", "seq"),
    "transferred_from": (
        "transferred from", "redirected from", "redirecting number", "transfere de",
    ),
    "transferred_to": ("transferred to", "forwarded to", "redirected to", "transfere a"),
}  # fmt: skip

DIRECTIONS: Mapping[str, tuple[str, ...]] = {
    "outgoing": (
        "o", "out", "outgoing", "outbound", "external out", "s", "sortant", "sortie", "sor",
        "depart", "abgehend", "ausgehend", "gehend", "g", "saliente", "salida", "uscente", "uscita",
        "mo", "originating", "originated", "oc", "placed", "dialled", "emis", "-->", "->", ">",
    ),
    "incoming": (
        "i", "in", "incoming", "inbound", "external in", "e", "entrant", "entree", "ent",
        "arrivee", "ankommend", "eingehend", "kommend", "k", "entrante", "entrada", "entrata",
        "mt", "terminating", "terminated", "ic", "received", "recu", "<--", "<-", "<",
    ),
    "internal": (
        "internal", "int", "interne", "intern", "interno", "interna", "local", "station", "ext",
    ),
    "transit": ("transit", "tandem", "through", "forward", "forwarded", "trunk to trunk"),
}  # fmt: skip
#: Codes that stand for a direction in one feed and for something else in the next.
AMBIGUOUS_DIRECTIONS = frozenset({"e", "s", "g", "k", "int", "local", "ext", "station", "forward"})

OUTCOMES: Mapping[str, tuple[str, ...]] = {
    "answered": (
        "answered", "answer", "ok", "success", "successful", "completed", "connected", "normal",
        "normal clearing", "repondu", "abouti", "decroche", "angenommen", "beantwortet",
        "erfolgreich", "contestada", "atendida", "completada", "risposta", "a",
    ),
    "no_answer": (
        "no answer", "noanswer", "not answered", "unanswered", "missed", "cancel", "canceled",
        "cancelled", "abandoned", "timeout", "ring no answer", "non repondu", "sans reponse",
        "manque", "annule", "nicht angenommen", "keine antwort", "verpasst", "abgebrochen",
        "no contestada", "perdida", "na", "senza risposta",
    ),
    "busy": ("busy", "user busy", "occupe", "besetzt", "ocupado", "occupato", "by"),
    "failed": (
        "failed", "fail", "failure", "error", "congestion", "rejected", "chanunavail",
        "unallocated", "echec", "refuse", "fehler", "fehlgeschlagen", "abgewiesen", "fallida",
        "rechazada", "fallita",
    ),
}  # fmt: skip

#: Words of a name that say in what a duration is counted.
UNITS: Mapping[str, tuple[str, ...]] = {
    "milliseconds": ("ms", "msec", "millis", "milliseconds", "millisecondes", "millisekunden"),
    "minutes": ("min", "mins", "minutes", "minuten", "minutos", "minuti"),
    "seconds": ("s", "sec", "secs", "seconds", "secondes", "sekunden", "segundos", "billsec"),
}  # fmt: skip

WORD = re.compile(r"[a-z]+|\d+|[-<>]+")
CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name: without accents, in small letters, taken apart at capitals."""
    plain = unicodedata.normalize("NFKD", name[:200].replace("ß", "ss"))
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return tuple(WORD.findall(" ".join(CAMEL.split(plain)).lower()))


@lru_cache(maxsize=4096)
def roles_of(name: str) -> Mapping[str, float]:
    """Return what a field of this name may be for, and how much its name speaks for it.

    A name that is a phrase of the table counts 1; one that holds it counts less, the more words
    there are beside it.
    """
    words = words_of(name.rpartition("/")[2] or name)
    whole = "".join(words)
    found: dict[str, float] = {}
    for role, phrases in ROLES.items():
        best = 0.0
        for phrase in phrases:
            parts = tuple(phrase.split())
            if whole == "".join(parts):
                best = 1.0
            elif _holds(words, parts):
                best = max(best, 0.4 * len(parts) / len(words) + 0.3)
        if best:
            found[role] = best
    return found


def meaning_of(code: str, meanings: Mapping[str, tuple[str, ...]]) -> str | None:
    """Return what a code stands for by a table of meanings, or None."""
    words = words_of(code)
    text = " ".join(words) if words else code.strip()
    return next((meaning for meaning, codes in meanings.items() if text in codes), None)


def unit_of(name: str) -> str | None:
    """Return in what a duration is counted, if its name says so."""
    words = words_of(name)
    return next((unit for unit, texts in UNITS.items() if set(texts) & set(words)), None)


def _holds(words: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    size = len(phrase)
    return any(words[start : start + size] == phrase for start in range(len(words) - size + 1))
