"""Sessions of people who signed in: their life, cookie and token, whom a request comes from, and the provider refresh.

Sessions live in the database, so that every worker and replica knows them; what each process keeps of them in memory is
good for as long as it follows the changes of the others.
"""
