"""An app in Streamlit that stands behind the gateway and greets whoever signed in.

Run it, and the gateway in front of it: streamlit run examples/signed_in_streamlit.py --server.port 9000
--server.address 127.0.0.1 --browser.gatherUsageStats false, and scripts/dev --app http://127.0.0.1:9000
"""

import streamlit as st

from doorward.client import MalformedPrincipal, current_principal

try:
    person = current_principal(st.context)
except MalformedPrincipal:
    st.error("Request is malformed")
    st.stop()
if person is None:
    st.error("Nobody is signed in")
    st.stop()
st.write(f"Hello {person.name}, {person.provider}:{person.id}")
