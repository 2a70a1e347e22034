"""Files on their way to the visitor they belong to, whole or in parts, under headers that let them do no harm."""
