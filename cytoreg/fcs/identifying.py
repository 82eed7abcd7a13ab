"""Which TEXT keywords are needed to read and gate a file, and what the others may say of a person, day or place.

The keywords are those of FCS 2.0 to 3.2 (FCS 3.1, section 3.2; FCS 3.2, section 3.3) and those that instruments
add. docs/reference/deidentification.md lists them in words; a test keeps the two alike.
"""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = [
    "CATEGORIES",
    "IDENTIFYING",
    "KEPT",
    "LABEL",
    "REQUIRED",
    "category_of",
    "form_of",
    "is_standard",
    "known_product",
]

CATEGORIES = {
    "person": "names of operators, investigators and users",
    "subject": "patient, sample, specimen and case: their identifiers, and what is known of them",
    "date": "dates and times of day",
    "file": "names of files, folders and documents",
    "identifier": "globally unique identifiers, checksums and barcodes",
    "experiment": "names of projects, experiments, panels, groups and tubes",
    "plate": "plates, wells, carriers and places on them",
    "site": "institution and its address",
    "instrument": "serial numbers and the computer of one particular instrument",
    "comment": "free text",
    "segment": "what stood outside HEADER, TEXT and DATA of the data set",
    "other": "not needed to read or gate; nobody has said that it is harmless",
}

# category -> keywords of the standard, and a pattern for those that instruments add
IDENTIFYING: dict[str, tuple[tuple[str, ...], str]] = {
    "person": (
        ("$OP", "$EXP", "$LAST_MODIFIER"),
        r"\b(USER|LOGIN|OPERATOR|INVESTIGATOR|PHYSICIAN|DOCTOR|TECHNICIAN|AUTHOR|OWNER)(\b|NAME|ID)",
    ),
    "date": (
        ("$DATE", "$BTIM", "$ETIM", "$BEGINDATETIME", "$ENDDATETIME", "$LAST_MODIFIED"),
        r"DATE|EXPORT TIME|(?<![A-Z])TIME$|CST PERFORMANCE EXPIRED|&\d+DAY$",
    ),
    "subject": (
        ("$SRC", "$SMNO", "$CELLS"),
        r"PATIENT|SUBJECT|DONOR|SPECIMEN|SAMPLE ?_?(ID|NAME)|#SAMPLE|&\d+SAMPLE|CASE NUMBER|VIAL|\bVRC\b|\bPIN\b|"
        r"ACCESSION|DIAGNOS|GENDER|\bSEX\b|\bAGE\b|BIRTH|\bMRN\b|^CD .|STIM$|CONCENTRATION",
    ),
    "identifier": ((), r"GUID|UUID|_UID|CHECKSUM|BARCODE|RUNNUMBER"),
    "file": (("$FIL",), r"FILE|PATH|DIRECTORY|FOLDER|DOCUMENT|\bDOC\b|DOC\."),
    "plate": (
        ("$PLATEID", "$PLATENAME", "$WELLID", "$CARRIERID", "$CARRIERTYPE", "$LOCATIONID"),
        r"PLATE|WELL|CAROUSEL|CARRIER|TUBENO|INDEX SORTING|LOCATIONS?_\d",
    ),
    "experiment": (
        ("$PROJ",),
        r"EXPERIMENT|PROJECT|TUBE|PANEL|GROUP|TESTNAME|SETTINGNAME|INSTRUMENT SETTINGS|CONFIG NAME|PREF",
    ),
    "site": (("$INST", "$INSTADDRESS"), r"LOCATION|ADDRESS|INSTITUT|SITE|HOSPITAL|DEPARTMENT|COMPANY"),
    "instrument": (
        ("$CYTSN", "$SYS", "$CYT", "$FLOWRATE"),
        r"SERIAL|CYTNUM|CYTOMETERID|SYSTEMID|WORKSTATION|LOT ID|COMPUTER|CREATOR|SOFTWARE|PRODUCT|BUILDNUMBER",
    ),
    "comment": (("$COM", "$UNSTAINEDINFO"), r"COMMENT|NOTE|REMARK|DESCRIPTION"),
}

_NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
_NUMBERS = rf"{_NUMBER}([ ,]+{_NUMBER})*"
_WORD = r"TRUE|FALSE|ON|OFF|YES|NO|LIN|LOG|ARITH|NA|N/A|DEFAULT|APPLIED|CUSTOM|UTF-8|L|I|F|D"
_COLOUR = r"UV|DEEP|NEAR|INFRA|IR|VIOLET|BLUE|CYAN|GREEN|YEL\w{0,4}|GRN|ORANGE|RED"
_SCATTER = r"(FSC|SSC|FS|SS|OR_FSC|OR_SSC|FL\d{1,2})(-[AHW])?"
# of calibrated fluorescence: standardised fluorochromes, antibodies bound, equivalents of the makers' beads
_UNIT = (
    r"MESF|ABC|ERF|EUF?|MEF|MFI|AU|ME(FL|PE|PTR|PCY[57]?|APC|AP|CSB|BFP|PB|A\d{3}|AX\d{3})|molecules|antibodies"
)

LABEL = "label"  # the form of free text that stays: names and markers of channels

# keyword pattern -> what its value must look like to stay; LABEL, `spillover` and `product` are treated on their own
KEPT: tuple[tuple[str, str], ...] = (
    (r"\$P\d+(N|S|DET|TAG|ANALYTE)", LABEL),
    (r"\$P\d+[BERGVO]", rf"{_NUMBERS} ?(mW|V)?"),
    (r"\$P\d+L", rf"{_NUMBERS} ?(nm)?"),
    (r"\$P\d+F", r"\d{2,4} ?(/{1,2} ?\d{1,4}|LP|SP|BP)? ?(LP|SP|BP)? ?(nm)?"),
    (r"\$P\d+T", r"PMT|APD|PD|SiPM|CCD|-?\d{1,2}"),
    (r"\$P\d+P", _NUMBER),
    (r"\$P\d+D", rf"(Linear|Logarithmic),{_NUMBER},{_NUMBER}"),
    (r"\$P\d+DATATYPE", r"[IFD]"),
    (
        r"\$P\d+TYPE",
        r"(Forward|Side|Unmixed|Raw|Spectral)[ _](Scatter|Fluorescence)|Fluorescence|Mass|Time|Index|"
        r"Classification|Electronic[ _]Volume|Dimension|Other",
    ),
    (r"\$P\d+FEATURE", r"Area|Height|Width"),
    (r"\$P\d+CALIBRATION", rf"{_NUMBER},({_NUMBER},)?({_UNIT})"),
    (r"\$(PAR|TOT|BEGINDATA|ENDDATA|BEGINSTEXT|ENDSTEXT|BEGINANALYSIS|ENDANALYSIS|NEXTDATA)", _NUMBER),
    (r"\$(DATATYPE|MODE)", r"[A-Z]"),
    (r"\$BYTEORD", r"\d(,\d)*"),
    (r"\$(TIMESTEP|VOL|ABRT|LOST)", _NUMBER),
    (r"\$?(SPILLOVER|SPILL|COMP)|\$UNSTAINEDCENTERS", "spillover"),
    (r"\$DFC\d+TO\d+", _NUMBER),
    (r"\$TR|THRESHOLD", rf"\(?{_SCATTER},{_NUMBER}\)?(,?\(?{_SCATTER},{_NUMBER}\)?)*"),
    (r"\$CYT|CREATOR", "product"),
    (r"\$ORIGINALITY", r"Original|NonDataModified|Appended|DataModified"),
    (r"P\d+(BS|MS)|WINDOW EXTENSION|FSC ASF|TIMETICKS|FCSVERSION", _NUMBER),
    (r"#?LASER\d+(ASF|DELAY)", _NUMBER),
    (r"#?LASER\d+(NAME|COLOR)", rf"({_COLOUR}|\d{{3}} ?nm)([ /-]?({_COLOUR}|\d{{3}} ?nm))*"),
    (r"P\d+DISPLAY|APPLY[ _]COMPENSATION|AUTOBS|TRANSFORMATION|CHARSET", _WORD),
    (r"FLOWCORE_\$P\d+R(MAX|MIN)", _NUMBER),
)

# without these a file cannot be read: no pattern drops them
REQUIRED = re.compile(
    r"\$(PAR|TOT|BEGINDATA|ENDDATA|BEGINSTEXT|ENDSTEXT|BEGINANALYSIS|ENDANALYSIS|NEXTDATA|DATATYPE|MODE|BYTEORD)"
    r"|\$P\d+([NBERG]|DATATYPE)"
)

# $CYT and CREATOR also hold serial numbers and people: only the model or program found in them stays, with a version
_MODELS = (
    r"FACS ?Canto(?: ?II)?|FACS ?Aria(?: ?(?:III|II|Fusion))?|FACS ?Calibur|FACScan|FACS ?Sort|FACS ?Verse|FACS ?Lyric|"
    r"FACS ?Celesta|FACS ?Symphony(?: ?(?:A\d|S6))?|FACS ?Discover(?: ?S8)?|FACS ?Melody|LSR ?Fortessa(?: X-20)?|"
    r"LSR ?II|LSR|Influx|(?:BD )?Accuri C6(?: Plus)?|Aurora(?: CS)?|Northern Lights|Attune(?: (?:NxT|CytPix|Xenith))?|"
    r"MACSQuant(?: (?:VYB|X|Tyto|Analyzer(?: \d+)?))?|Navios(?: EX)?|Gallios|(?:Cytomics )?FC ?500|CytoFLEX(?: (?:S|LX|SRT))?|"
    r"DxFLEX|Epics(?: XL)?|Astrios|MoFlo|CyAn(?: ADP)?|(?:IntelliCyt )?iQue(?: ?(?:3|Plus|Screener(?: Plus)?))?|"
    r"(?:DVSSCIENCES-)?CyTOF(?:\d| ?XT)?|Helios|S1000EXi|S1400EXi|1400-8|CyFlow(?: \w+)?|Cube(?: ?\d)?|PAS|NovoCyte(?: \w+)?|"
    r"ID7000|SP6800|SH800S?|MA900|Guava(?: easyCyte)?|ZE5|YETI|Bigfoot|ImageStream|S3e?|Quanteon|Opteon"
)
_PROGRAMS = (
    r"(?:BD )?FACSDiva(?: Software)?|CELLQuest(?: Pro)?|FACSuite|FACSChorus|LYSYS(?: II)?|SpectroFlo|FlowJo|Kaluza|"
    r"CytExpert|Summit|MACSQuantify|ForeCyt|Attune(?: NxT)?(?: Software)?|NovoExpress|FCS Express|CFlow|flowCore|cytolib|"
    r"FlowKit|FlowIO|cytoreg|Cytobank|Infinicyt|FloMax|CXP|CellCapTure|guavaSoft|InCyte"
)
_PRODUCT = re.compile(rf"(?<![A-Za-z0-9])(?:{_MODELS}|{_PROGRAMS})(?![A-Za-z0-9])", re.IGNORECASE)
_VERSION = re.compile(r"\W{0,2}(?:Version )?(\d{1,2}(?:\.\d{1,3}){1,2})(?![\d.])", re.IGNORECASE)


@lru_cache(maxsize=10_000)
def category_of(keyword: str) -> str:
    """What a keyword (in capitals) may say: one of CATEGORIES.

    >>> category_of("$OP"), category_of("EXPORT USER NAME"), category_of("@SAMPLEID1"), category_of("GIZMO")
    ('person', 'person', 'subject', 'other')
    """
    for category, (standard, _) in IDENTIFYING.items():
        if keyword in standard:
            return category
    for category, (_, pattern) in IDENTIFYING.items():
        if re.search(pattern, keyword):
            return category
    return "other"


@lru_cache(maxsize=10_000)
def form_of(keyword: str) -> str | None:
    """What the value of a keyword (in capitals) must look like to stay, or None where the keyword goes.

    >>> form_of("$P3N"), form_of("$OP")
    ('label', None)
    """
    return next((form for pattern, form in KEPT if re.fullmatch(pattern, keyword)), None)


def is_standard(keyword: str) -> bool:
    """Whether a keyword (in capitals, with its `$`) is one that this list knows from the standard."""
    listed = any(keyword in standard for standard, _ in IDENTIFYING.values())
    return keyword.startswith("$") and (listed or form_of(keyword) is not None)


def known_product(value: str) -> str | None:
    """The instrument model or program that a value names, with its version; None where there is none.

    >>> known_product("1234567 Attune NxT Acoustic Focusing Cytometer"), known_product("FACS of Dr Who")
    ('Attune NxT', None)
    >>> known_product("BD FACSDiva Software Version 6.1.3")
    'BD FACSDiva Software Version 6.1.3'
    """
    found = _PRODUCT.search(value)
    if not found:
        return None
    version = _VERSION.match(value, found.end())
    return value[found.start() : version.end() if version else found.end()]
