package conversation

// Statement is the query of Page, for a test that asks Postgres how it would run it.
func Statement(s Sort) string {
	o, _ := orderOf(s)
	return o.statement()
}
