package auth_test

// What pwdlib makes of goodPassword: with its default cost, and with a small one, a short salt and a short key.
const (
	pwdlibDefault = "$argon2id$v=19$m=65536,t=3,p=4$vyxs7hOsUTJbbPOucOVVbA$a4g01fiiJ6W8QFF2N8OkmvvyEBTAAaDwPNVbjDwveVg"
	pwdlibSmall   = "$argon2id$v=19$m=64,t=1,p=2$6gRhpuBv1jg$ejFQq5OAeJIgT03nWJCNEQ"
)
